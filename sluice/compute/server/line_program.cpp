// Implements line_program: reads, writes, and what they mean in each phase.
#include "sluice/compute/server/line_program.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "sluice/base/check.hpp"
#include "sluice/wire/framing.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::compute {
namespace {

// A write of so much is taken whole or not at all (pipe(7), PIPE_BUF).
constexpr std::size_t piece = 4096;
// Reads of 16 KiB in one go: four times what a pipe holds.
constexpr int most_reads = 16;
constexpr std::size_t read_size = std::size_t{16} * 1024;
// What a program may print before it is asked: a banner, a prompt, a licence.
constexpr std::uint64_t most_unasked = std::uint64_t{64} * 1024;
// What is logged of a line that a program writes to stderr.
constexpr std::size_t longest_remark = 1000;

}  // namespace

void line_program::give(std::string_view question, io::time_point now) {
    check(phase_ == phase::idle, "a program is given one question at a time");
    text_.clear();
    wire::append_framed(text_, question, true);
    text_.pop_back();
    if (text_.empty()) text_ = " ";
    parser_.begin(text_);
    written_ = 0;
    phase_ = phase::handing;
    given_at_ = now;
    heard_at_ = now;
    write_some(std::string_view{text_}.substr(0, piece), now);
}

line_program::event line_program::on_input(io::time_point now) {
    if (phase_ != phase::handing) return event::none;
    if (written_ < text_.size()) {
        write_some(std::string_view{text_}.substr(written_, piece), now);
        return event::none;
    }
    if (const auto early = on_output(now); early != event::none) return early;
    if (closed_at_ != io::never) return event::none;
    parser_.ask();
    phase_ = phase::asked;
    write_some("\n", now);
    return event::none;
}

line_program::event line_program::on_output(io::time_point now) {
    std::array<char, read_size> room{};
    bool drained = false;
    for (int reads = 0; reads < most_reads && !drained; ++reads) {
        const auto n = ::read(child_.output.get(), room.data(), room.size());
        if (n < 0 && errno == EINTR) continue;
        if (n > 0) {
            heard_at_ = now;
            parser_.feed({room.data(), static_cast<std::size_t>(n)});
            if (parser_.too_long()) return event::too_long;
        } else {
            drained = true;
            if (n == 0 || errno != EAGAIN) note_closed(now);
        }
    }
    if (parser_.answered()) return event::answered;
    const bool flood = !drained || parser_.unasked_bytes() > most_unasked;
    const bool late = proven_ && parser_.has_unasked_lines();
    return phase_ != phase::asked && (flood || late) ? event::unasked : event::none;
}

std::string line_program::take_answer() {
    phase_ = phase::idle;
    proven_ = true;
    return parser_.take_answer();
}

void line_program::on_errors(std::vector<std::string>& into, bool all, io::time_point now) {
    std::array<char, 4096> room{};
    for (int reads = 0; child_.errors && reads < (all ? most_reads : 1); ++reads) {
        const auto n = ::read(child_.errors.get(), room.data(), room.size());
        // Closed while the program goes on: there is nothing more to read.
        if (n == 0) child_.errors.reset();
        if (n <= 0) return;
        remark_.append(room.data(), static_cast<std::size_t>(n));
        std::size_t from = 0;
        for (;;) {
            const auto end = remark_.find('\n', from);
            const auto length = std::min(end, remark_.size()) - from;
            if (end == std::string::npos && length <= longest_remark) break;
            const auto shown = std::min(length, longest_remark);
            if (const auto left_out = remarks_.take(now)) {
                into.push_back(wire::printable(std::string_view{remark_}.substr(from, shown)));
                if (*left_out > 0) into.push_back(fmt::format("({} lines left out)", *left_out));
            }
            from += shown + (shown == length && end != std::string::npos ? 1 : 0);
        }
        remark_.erase(0, from);
    }
}

void line_program::leave(int signal) noexcept {
    if (signal != 0) child_.signal_group(signal);
    // The end of input would make a line of a question that is half written.
    if (phase_ != phase::handing) child_.input.reset();
    phase_ = phase::leaving;
}

void line_program::write_some(std::string_view bytes, io::time_point now) noexcept {
    const auto n = ::write(child_.input.get(), bytes.data(), bytes.size());
    if (n > 0) {
        written_ += static_cast<std::size_t>(n);
    } else if (errno != EAGAIN && errno != EINTR) {
        note_closed(now);
    }
}

void line_program::note_closed(io::time_point now) noexcept {
    child_.output.reset();
    if (closed_at_ == io::never) closed_at_ = now;
}

}  // namespace sluice::compute
