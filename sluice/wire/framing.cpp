// The cutting itself, and the way back.
#include "sluice/wire/framing.hpp"

#include <cerrno>
#include <source_location>
#include <utility>

#include "sluice/base/check.hpp"

namespace sluice::wire {
namespace {

// Every connection has one, also an idle one, whose whole budget is half a KiB.
static_assert(sizeof(frame_reader) <= 64);

bool ends_in_return(std::string_view bytes) noexcept {
    return !bytes.empty() && bytes.back() == '\r';
}

}  // namespace

std::optional<framing> framing_from_text(std::string_view text) noexcept {
    for (const auto mode : {framing::automatic, framing::line, framing::raw}) {
        if (text == to_text(mode)) return mode;
    }
    return std::nullopt;
}

std::string_view to_text(framing mode) noexcept {
    switch (mode) {
        case framing::automatic: return "auto";
        case framing::line: return "line";
        case framing::raw: return "raw";
    }
    broken_contract("a framing that is none", std::source_location::current());
}

void frame_reader::feed(std::string_view chunk) noexcept {
    check(chunk_.empty(), "a chunk is fed before the one before it is drained");
    check(!finished_, "a chunk is fed after the end of the stream");
    forget_handed_out();
    if (trouble_ == trouble::none) chunk_ = chunk;
}

result<std::optional<message>> frame_reader::next() noexcept {
    if (trouble_ != trouble::none) return fail(trouble_);
    forget_handed_out();
    if (mode_ == framing::raw) return next_chunk();
    if (cut_) return hand_out_rest();
    return next_line();
}

bool frame_reader::awaits_pause() const noexcept {
    return mode_ == framing::automatic && !handed_out_ && !stash_.empty();
}

void frame_reader::pause() noexcept {
    check(chunk_.empty(), "a pause is told before the chunk is drained");
    if (awaits_pause()) cut_ = true;
}

void frame_reader::finish() noexcept {
    check(chunk_.empty(), "the end is told before the chunk is drained");
    finished_ = true;
    if (!handed_out_ && !stash_.empty()) cut_ = true;
}

frame_reader::outcome frame_reader::next_line() noexcept {
    while (true) {
        const auto end = chunk_.find('\n');
        if (end == std::string_view::npos) return keep_rest();

        std::string_view text = chunk_.substr(0, end);
        chunk_.remove_prefix(end + 1);
        // Measured before it is joined, so that the stash never outgrows the limit.
        const bool returned = ends_in_return(text.empty() ? stash_.view() : text);
        if (stash_.size() + text.size() - (returned ? 1 : 0) > max_message_) {
            return fail(trouble::too_long);
        }
        if (!stash_.empty()) {
            if (!stash_.append(text)) return fail(trouble::no_memory);
            text = stash_.view();
            handed_out_ = true;
        }
        if (returned) text.remove_suffix(1);

        const bool belongs_to_last = late_end_ && text.empty();
        late_end_ = false;
        if (!belongs_to_last) return message{.text = text, .terminated = true};
        forget_handed_out();
    }
}

frame_reader::outcome frame_reader::next_chunk() noexcept {
    if (chunk_.empty()) return std::nullopt;
    if (chunk_.size() > max_message_) return fail(trouble::too_long);
    return message{.text = std::exchange(chunk_, {}), .terminated = false};
}

frame_reader::outcome frame_reader::keep_rest() noexcept {
    const auto rest = std::exchange(chunk_, {});
    if (rest.empty()) {
        if (stash_.empty()) stash_.release();
        return std::nullopt;
    }
    // A '\r' at the end may still turn out to be half of the line's end, which does not count.
    if (stash_.size() + rest.size() - (ends_in_return(rest) ? 1 : 0) > max_message_) {
        return fail(trouble::too_long);
    }
    if (!stash_.append(rest)) return fail(trouble::no_memory);
    return std::nullopt;
}

frame_reader::outcome frame_reader::hand_out_rest() noexcept {
    cut_ = false;
    if (stash_.size() > max_message_) return fail(trouble::too_long);
    if (mode_ == framing::automatic) answers_terminated_ = false;
    late_end_ = true;
    handed_out_ = true;
    return message{.text = stash_.view(), .terminated = false};
}

frame_reader::outcome frame_reader::fail(trouble what) noexcept {
    trouble_ = what;
    chunk_ = {};
    stash_.release();
    handed_out_ = false;
    return what == trouble::too_long ? failure(fault::message_too_long) : failure_of(ENOMEM);
}

void frame_reader::forget_handed_out() noexcept {
    if (!handed_out_) return;
    handed_out_ = false;
    stash_.clear();
}

bool is_one_line(std::string_view text) noexcept {
    return text.find('\n') == std::string_view::npos && !ends_in_return(text);
}

void append_framed(std::string& out, std::string_view text, bool terminated) {
    if (terminated) {
        for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
            const auto line = text.substr(0, end);
            out.append(ends_in_return(line) ? line.substr(0, end - 1) : line).push_back(' ');
            text.remove_prefix(end + 1);
        }
    }
    out.append(text).append(message_end(terminated));
}

}  // namespace sluice::wire
