// Implements line_program: non-blocking reads and writes, and their effect in each phase.
#include "sluice/compute/server/line_program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

#include "sluice/base/bytes.hpp"
#include "sluice/base/check.hpp"
#include "sluice/base/planted_bug.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/wire/framing.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::compute {
namespace {

// A write of this many bytes is atomic (pipe(7), PIPE_BUF).
constexpr std::size_t max_write = 4096;
// Reads of 16 KiB per call of on_output(), in total four times the capacity of a pipe.
constexpr int max_reads = 16;
constexpr std::size_t read_size = std::size_t{16} * 1024;
// Bytes that a program may print unasked: a banner, a prompt, a licence.
constexpr std::uint64_t max_unasked = std::uint64_t{64} * 1024;
// Bytes logged of a line on a program's stderr.
constexpr std::size_t max_logged_line = 1000;

}  // namespace

void line_program::begin_question(std::string_view question, io::time_point now) {
    check(phase_ == phase::idle, "a program is asked one question at a time");
    text_.clear();
    wire::append_framed(text_, question, true);
    text_.pop_back();
    if (text_.empty()) text_ = " ";
    parser_.begin(text_);
    written_ = 0;
    phase_ = phase::writing;
    begun_at_ = now;
    asked_at_ = io::never;
    output_at_ = now;
    write_some(std::string_view{text_}.substr(0, max_write), now);
    if (planted(bug::compute_program_asked_at_once)) end_question(now);
}

line_program::event line_program::on_input(io::time_point now) {
    if (phase_ != phase::writing) return event::none;
    if (written_ < text_.size()) {
        write_some(std::string_view{text_}.substr(written_, max_write), now);
        return event::none;
    }
    if (const auto early = on_output(now); early != event::none) return early;
    if (closed_at_ == io::never) end_question(now);
    return event::none;
}

void line_program::end_question(io::time_point now) noexcept {
    parser_.ask();
    phase_ = phase::asked;
    asked_at_ = now;
    write_some("\n", now);
}

line_program::event line_program::on_output(io::time_point now) {
    std::array<char, read_size> buffer{};
    bool drained = false;
    for (int reads = 0; reads < max_reads && !drained; ++reads) {
        const auto n =
            os::sys().read(child_.output.get(), std::as_writable_bytes(std::span{buffer}));
        if (n == -EINTR) continue;
        if (n > 0) {
            output_at_ = now;
            parser_.feed({buffer.data(), static_cast<std::size_t>(n)});
            if (parser_.too_long()) return event::too_long;
        } else {
            drained = true;
            if (n != -EAGAIN) mark_closed(now);
        }
    }
    if (parser_.answered()) return event::answered;
    const bool flood = !drained || parser_.unasked_bytes() > max_unasked;
    const bool late = has_answered_ && parser_.has_unasked_lines();
    return phase_ != phase::asked && (flood || late) ? event::unasked : event::none;
}

std::string line_program::take_answer() {
    phase_ = phase::idle;
    has_answered_ = true;
    return parser_.take_answer();
}

void line_program::on_errors(std::vector<std::string>& lines, bool all, io::time_point now) {
    std::array<char, 4096> buffer{};
    for (int reads = 0; child_.errors && reads < (all ? max_reads : 1); ++reads) {
        const auto n =
            os::sys().read(child_.errors.get(), std::as_writable_bytes(std::span{buffer}));
        // The program has closed its stderr.
        if (n == 0) child_.errors.reset();
        if (n <= 0) return;
        stderr_line_.append(buffer.data(), static_cast<std::size_t>(n));
        std::size_t from = 0;
        for (;;) {
            const auto end = stderr_line_.find('\n', from);
            const auto length = std::min(end, stderr_line_.size()) - from;
            if (end == std::string::npos && length <= max_logged_line) break;
            const auto shown = std::min(length, max_logged_line);
            if (const auto left_out = stderr_budget_.take(now)) {
                lines.push_back(
                    wire::printable(std::string_view{stderr_line_}.substr(from, shown)));
                if (*left_out > 0) lines.push_back(fmt::format("({} lines left out)", *left_out));
            }
            from += shown + (shown == length && end != std::string::npos ? 1 : 0);
        }
        stderr_line_.erase(0, from);
    }
}

void line_program::leave(int signal) noexcept {
    if (signal != 0) child_.signal_group(signal);
    // The end of input would turn a half-written question into a line.
    if (phase_ != phase::writing) child_.input.reset();
    phase_ = phase::leaving;
}

void line_program::write_some(std::string_view bytes, io::time_point now) noexcept {
    const auto n = os::sys().write(child_.input.get(), as_bytes(bytes));
    if (n > 0) {
        written_ += static_cast<std::size_t>(n);
    } else if (n != -EAGAIN && n != -EINTR) {
        mark_closed(now);
    }
}

void line_program::mark_closed(io::time_point now) noexcept {
    child_.output.reset();
    if (closed_at_ == io::never) closed_at_ = now;
}

}  // namespace sluice::compute
