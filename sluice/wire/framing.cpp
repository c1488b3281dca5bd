// Implements frame_reader and append_framed.
#include "sluice/wire/framing.hpp"

#include <cerrno>
#include <source_location>
#include <utility>

#include "sluice/base/check.hpp"

namespace sluice::wire {
namespace {

// Every connection holds a reader, and the whole budget of an idle connection is 512 bytes.
static_assert(sizeof(frame_reader) <= 56);

constexpr std::string_view iac{"\xff"};

// After this many unterminated messages in a row no newline is expected.
constexpr std::uint8_t several = 3;

bool ends_in_return(std::string_view bytes) noexcept {
    return !bytes.empty() && bytes.back() == '\r';
}

/// Whether `text` ends within a UTF-8 character (RFC 3629).
bool ends_within_character(std::string_view text) noexcept {
    constexpr std::size_t longest = 4;
    for (std::size_t back = 1; back < longest && back <= text.size(); ++back) {
        const auto byte = static_cast<std::uint8_t>(text[text.size() - back]);
        if (byte >= 0x80 && byte < 0xc0) continue;
        if (byte < 0xc2 || byte > 0xf4) return false;
        const std::size_t length = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
        return back < length;
    }
    return false;
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
    if (error_ != framing_error::none) return;
    if (guesses_) {
        guess_.feed(chunk);
        const auto found = guess_.found();
        if (found == other_protocol::http) error_ = framing_error::http;
        if (found == other_protocol::tls) error_ = framing_error::tls;
        if (found != other_protocol::none) return;
    }
    chunk_ = chunk;
    decodes_ = from_ != sender::program &&
               (telnet_.in_use() || chunk.find(iac) != std::string_view::npos ||
                chunk.find('\0') != std::string_view::npos);
}

result<std::optional<message>> frame_reader::next() noexcept {
    if (error_ != framing_error::none) return fail(error_);
    forget_handed_out();
    if (mode_ == framing::raw) return next_chunk();
    if (cut_) return hand_out_rest();
    return decodes_ ? next_decoded() : next_line();
}

pause frame_reader::awaited() const noexcept {
    if (ends_lines_ || handed_out_ || stash_.empty()) return pause::none;
    if (unterminated_ == several) return pause::usual;
    const bool waits = wait_reason_ != wait_reason::none && fresh_ == fresh::nothing;
    return waits ? pause::typed : pause::first;
}

void frame_reader::end_pause() noexcept {
    check(chunk_.empty(), "a pause is reported before the chunk is drained");
    if (awaited() == pause::none) return;
    if (!waits_longer()) cut_ = true;
}

void frame_reader::finish() noexcept {
    check(chunk_.empty(), "the end is reported before the chunk is drained");
    finished_ = true;
    forget_handed_out();
    if (error_ != framing_error::none) return;
    if (telnet_.take_last_iac() && !stash_.append(iac)) error_ = framing_error::no_memory;
    cut_ = !stash_.empty();
}

frame_reader::outcome frame_reader::next_line() noexcept {
    if (skipping_) skip_to_line_end();
    while (true) {
        const auto end = chunk_.find('\n');
        if (end == std::string_view::npos) return stash_rest();

        std::string_view text = chunk_.substr(0, end);
        chunk_.remove_prefix(end + 1);
        // Checked before the line is joined, so that the stash never exceeds the limit.
        const bool returned = ends_in_return(text.empty() ? stash_.view() : text);
        if (stash_.size() + text.size() - (returned ? 1 : 0) > max_message_) {
            if (beyond_ == overlong::dropped) learn_lines();
            return fail(framing_error::too_long);
        }
        if (!stash_.empty()) {
            if (!stash_.append(text)) return fail(framing_error::no_memory);
            text = stash_.view();
            handed_out_ = true;
        }
        if (returned) text.remove_suffix(1);
        if (const auto line = end_line(text)) return line;
    }
}

frame_reader::outcome frame_reader::next_decoded() noexcept {
    while (!chunk_.empty()) {
        const bool returned = ends_in_return(stash_.view());
        const auto what = telnet_.take(chunk_.front(), returned);
        const auto byte = chunk_.substr(0, 1);
        if (what != telnet_decoder::part::iac) chunk_.remove_prefix(1);
        if (telnet_.known()) learn_lines();
        if (what == telnet_decoder::part::nothing) continue;
        if (what != telnet_decoder::part::line_end) {
            const auto stashed = stash_partial(what == telnet_decoder::part::text ? byte : iac);
            if (stashed != framing_error::none) return fail(stashed);
            continue;
        }
        if (skipping_) {
            end_skipping();
            continue;
        }
        auto text = stash_.view();
        if (returned) text.remove_suffix(1);
        if (text.size() > max_message_) return fail(framing_error::too_long);
        handed_out_ = true;
        if (const auto line = end_line(text)) return line;
    }
    return stash_rest();
}

frame_reader::outcome frame_reader::next_chunk() noexcept {
    if (chunk_.empty()) return std::nullopt;
    if (chunk_.size() > max_message_) {
        chunk_ = {};
        return fail(framing_error::too_long);
    }
    return message{.text = std::exchange(chunk_, {}), .terminated = false};
}

frame_reader::outcome frame_reader::stash_rest() noexcept {
    const auto rest = std::exchange(chunk_, {});
    if (!rest.empty()) {
        if (const auto stashed = stash_partial(rest); stashed != framing_error::none)
            return fail(stashed);
    } else if (stash_.empty()) {
        stash_.release();
    }
    return std::nullopt;
}

/// Ends the dropped message if its newline is in the chunk.
void frame_reader::skip_to_line_end() noexcept {
    const auto end = chunk_.find('\n');
    if (end == std::string_view::npos) return;
    chunk_.remove_prefix(end + 1);
    end_skipping();
}

void frame_reader::end_skipping() noexcept {
    skipping_ = false;
    learn_lines();
    handed_out_ = true;
    forget_handed_out();
}

/// Stashes bytes of an unfinished line; of a dropped message only the last byte.
frame_reader::framing_error frame_reader::stash_partial(std::string_view bytes) noexcept {
    // All of them, whatever is kept: how long a peer is waited for does not depend on the split.
    track_fresh(bytes);
    if (skipping_) {
        stash_.clear();
        bytes = bytes.substr(bytes.size() - 1);
    }
    // A trailing '\r' may be half of the line end, which does not count.
    if (!skipping_ &&
        stash_.size() + bytes.size() - (ends_in_return(bytes) ? 1 : 0) > max_message_) {
        skipping_ = beyond_ == overlong::dropped;
        if (!skipping_) return framing_error::too_long;
        stash_.clear();
        if (!stash_.append(bytes.substr(bytes.size() - 1))) return framing_error::no_memory;
        return framing_error::too_long;
    }
    return stash_.append(bytes) ? framing_error::none : framing_error::no_memory;
}

/// `text` as a message; none if it is the late line end of the previous message.
std::optional<message> frame_reader::end_line(std::string_view text) noexcept {
    learn_lines();
    const bool is_late = late_end_ && text.empty();
    late_end_ = false;
    if (!is_late) return message{.text = text, .terminated = true};
    forget_handed_out();
    return std::nullopt;
}

frame_reader::outcome frame_reader::hand_out_rest() noexcept {
    cut_ = false;
    const bool returned = returned_;
    returned_ = false;
    if (skipping_) {
        skipping_ = false;
        handed_out_ = true;
        forget_handed_out();
        late_end_ = !returned;
        return next_line();
    }
    auto text = stash_.view();
    if (returned) text.remove_suffix(1);
    if (text.size() > max_message_) {
        auto failed = fail(framing_error::too_long);
        late_end_ = !returned;
        return failed;
    }
    handed_out_ = true;
    late_end_ = !returned;
    if (!ends_lines_) {
        answers_terminated_ = false;
        if (unterminated_ < several) ++unterminated_;
    }
    return message{.text = text, .terminated = returned};
}

/// Whether the stash must wait for a longer pause: it may be a single key or half a character.
bool frame_reader::waits_longer() noexcept {
    if (from_ != sender::person || unterminated_ == several) return false;
    const auto since = fresh_;
    fresh_ = fresh::nothing;
    const bool in_character = ends_within_character(stash_.view());
    if (wait_reason_ == wait_reason::none) {
        if (in_character) {
            wait_reason_ = wait_reason::in_character;
        } else if (since == fresh::character) {
            wait_reason_ = wait_reason::after_key;
        }
        return wait_reason_ != wait_reason::none;
    }
    if (since == fresh::nothing) return false;
    if (wait_reason_ == wait_reason::in_character) return in_character;
    returned_ = ends_in_return(stash_.view());
    if (since == fresh::character || returned_) {
        learn_lines();
        telnet_.assume(returned_);
        cut_ = returned_;
    }
    return true;
}

/// Updates fresh_, which counts characters up to two by their lead bytes.
void frame_reader::track_fresh(std::string_view bytes) noexcept {
    if (from_ != sender::person || ends_lines_) return;
    for (const char byte : bytes) {
        if (fresh_ == fresh::text) return;
        const bool begins = (static_cast<std::uint8_t>(byte) & 0xc0U) != 0x80U;
        if (fresh_ == fresh::nothing) {
            fresh_ = fresh::character;
        } else if (begins) {
            fresh_ = fresh::text;
        }
    }
}

void frame_reader::learn_lines() noexcept {
    if (ends_lines_) return;
    ends_lines_ = true;
    answers_terminated_ = true;
}

frame_reader::outcome frame_reader::fail(framing_error what) noexcept {
    handed_out_ = false;
    cut_ = false;
    if (what == framing_error::too_long && beyond_ == overlong::dropped) {
        late_end_ = false;
        if (!skipping_) {
            handed_out_ = true;
            forget_handed_out();
            stash_.release();
        }
        return failure(fault::message_too_long);
    }
    error_ = what;
    chunk_ = {};
    stash_.release();
    switch (what) {
        case framing_error::too_long: return failure(fault::message_too_long);
        case framing_error::http: return failure(fault::http_spoken);
        case framing_error::tls: return failure(fault::tls_spoken);
        case framing_error::no_memory:
        case framing_error::none: break;
    }
    return failure_of(ENOMEM);
}

void frame_reader::forget_handed_out() noexcept {
    if (!handed_out_) return;
    handed_out_ = false;
    wait_reason_ = wait_reason::none;
    fresh_ = fresh::nothing;
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
