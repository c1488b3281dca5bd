// One running program that answers one line with one line: the question in, the answer out.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/compute/server/child_process.hpp"
#include "sluice/compute/server/log_budget.hpp"
#include "sluice/compute/server/reply_parser.hpp"
#include "sluice/io/timer.hpp"

namespace sluice::compute {

/// Hands a question over in two steps, so that no line of an earlier one is taken for its answer:
/// first the text without its newline. Once the pipe to the program is empty, the program is back
/// at reading, and has printed all that it had to say before (one that reads and prints in turn).
/// What is in its stdout then belongs to no question. Then the newline, and the next line is the
/// answer. A question of no bytes is asked as one blank.
///
/// Nothing here blocks. Thread of the pool's supervisor.
class line_program {
 public:
    enum class phase : std::uint8_t {
        idle,     ///< asked nothing
        handing,  ///< the text of a question is being written
        asked,    ///< the newline was written, and the answer is to come
        leaving,  ///< told to end
    };
    enum class event : std::uint8_t {
        none,
        answered,  ///< take_answer()
        unasked,   ///< it printed a line of which no question is known: it cannot be trusted
        too_long,  ///< its answer is longer than may be
    };

    /// `max_line`: longest answer in bytes.
    line_program(child_process started, std::size_t max_line) noexcept
        : child_{std::move(started)}, parser_{max_line} {}

    /// Begins a question. Only while idle.
    void give(std::string_view question, io::time_point now);
    /// poll(2) said that its stdin can be written: goes on with the question.
    [[nodiscard]] event on_input(io::time_point now);
    /// poll(2) said that its stdout can be read.
    [[nodiscard]] event on_output(io::time_point now);
    /// poll(2) said that its stderr can be read: appends whole lines, fit for a terminal, to
    /// `into`. `all`: reads on until there is nothing more.
    void on_errors(std::vector<std::string>& into, bool all, io::time_point now);
    /// The answer. After event::answered; the program is idle then.
    [[nodiscard]] std::string take_answer();
    /// Lines that were no answer, since the last call.
    [[nodiscard]] std::uint64_t take_unasked_lines() noexcept {
        return parser_.take_unasked_lines();
    }

    /// Sends `signal` to its group unless 0, and closes its stdin unless a question is half
    /// written.
    void leave(int signal) noexcept;

    [[nodiscard]] phase now() const noexcept { return phase_; }
    /// It has answered a question.
    [[nodiscard]] bool proven() const noexcept { return proven_; }
    /// When its question was given; when it last printed anything on stdout after that.
    [[nodiscard]] io::time_point given_at() const noexcept { return given_at_; }
    [[nodiscard]] io::time_point heard_at() const noexcept { return heard_at_; }
    /// When it closed its stdin or stdout, as a program that ends does; never if it has not.
    [[nodiscard]] io::time_point closed_at() const noexcept { return closed_at_; }
    [[nodiscard]] const child_process& child() const noexcept { return child_; }
    [[nodiscard]] pid_t pid() const noexcept { return child_.pid; }

    /// Descriptors to watch, -1 where there is nothing to wait for.
    [[nodiscard]] int input_to_watch() const noexcept {
        return phase_ == phase::handing && closed_at_ == io::never ? child_.input.get() : -1;
    }
    [[nodiscard]] int output_to_watch() const noexcept { return child_.output.get(); }

 private:
    void write_some(std::string_view bytes, io::time_point now) noexcept;
    void note_closed(io::time_point now) noexcept;

    child_process child_;
    reply_parser parser_;
    phase phase_ = phase::idle;
    bool proven_ = false;
    std::string text_;
    std::size_t written_ = 0;
    std::string remark_;  // the beginning of a line on stderr
    log_budget remarks_{200, 200};
    io::time_point given_at_{};
    io::time_point heard_at_{};
    io::time_point closed_at_ = io::never;
};

}  // namespace sluice::compute
