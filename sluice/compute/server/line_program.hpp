// Defines line_program: a running child that answers one line on stdin with one line on stdout.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/compute/server/log_budget.hpp"
#include "sluice/compute/server/reply_parser.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/os/child_process.hpp"

namespace sluice::compute {

/// Writes a question in two steps, so that no line of an earlier question is taken for its answer.
/// First the text without its newline: once the pipe to the program is empty, a program that reads
/// and prints in turn is reading again and has printed everything from before. Its stdout is then
/// drained, and those bytes belong to no question. Then the newline; the next line is the answer.
/// An empty question is written as one blank.
///
/// Never blocks. Thread of the pool's supervisor.
class line_program {
 public:
    enum class phase : std::uint8_t {
        idle,     ///< without a question
        writing,  ///< the text of a question is being written
        asked,    ///< the newline was written; the answer is awaited
        leaving,  ///< leave() was called
    };
    enum class event : std::uint8_t {
        none,
        answered,  ///< take_answer()
        unasked,   ///< it printed a line without a question, or too much
        too_long,  ///< its answer is longer than the limit
    };

    /// `max_line`: the longest answer, in bytes.
    line_program(os::child_process started, std::size_t max_line) noexcept
        : child_{std::move(started)}, parser_{max_line} {}

    /// Begins to write a question. Only while idle.
    void begin_question(std::string_view question, io::time_point now);
    /// After poll(2) reports stdin writable: continues the question.
    [[nodiscard]] event on_input(io::time_point now);
    /// After poll(2) reports stdout readable.
    [[nodiscard]] event on_output(io::time_point now);
    /// After poll(2) reports stderr readable: appends whole lines, made printable, to `lines`.
    /// `all`: reads until there is no more, 64 KiB at most.
    void on_errors(std::vector<std::string>& lines, bool all, io::time_point now);
    /// The answer, after event::answered. The program is then idle.
    [[nodiscard]] std::string take_answer();
    /// Lines since the last call that were no answer.
    [[nodiscard]] std::uint64_t take_unasked_lines() noexcept {
        return parser_.take_unasked_lines();
    }

    /// Sends `signal`, if not 0, to its process group, and closes its stdin unless a question is
    /// half written.
    void leave(int signal) noexcept;

    [[nodiscard]] phase current_phase() const noexcept { return phase_; }
    /// True once it has answered a question.
    [[nodiscard]] bool has_answered() const noexcept { return has_answered_; }
    /// When its question was begun, and when it last printed on stdout after that.
    [[nodiscard]] io::time_point begun_at() const noexcept { return begun_at_; }
    [[nodiscard]] io::time_point output_at() const noexcept { return output_at_; }
    /// When it was given the end of its question; io::never before.
    [[nodiscard]] io::time_point asked_at() const noexcept { return asked_at_; }
    /// When it closed its stdin or stdout, as a program that ends does; else io::never.
    [[nodiscard]] io::time_point closed_at() const noexcept { return closed_at_; }
    [[nodiscard]] const os::child_process& child() const noexcept { return child_; }
    [[nodiscard]] pid_t pid() const noexcept { return child_.pid(); }
    /// Waits for its end; the status of waitpid(2). Once.
    int reap() noexcept { return child_.reap(); }

    /// Descriptors for poll(2); -1 if there is nothing to wait for.
    [[nodiscard]] int input_to_watch() const noexcept {
        return phase_ == phase::writing && closed_at_ == io::never ? child_.input.get() : -1;
    }
    [[nodiscard]] int output_to_watch() const noexcept { return child_.output.get(); }

 private:
    void end_question(io::time_point now) noexcept;
    void write_some(std::string_view bytes, io::time_point now) noexcept;
    void mark_closed(io::time_point now) noexcept;

    os::child_process child_;
    reply_parser parser_;
    phase phase_ = phase::idle;
    bool has_answered_ = false;
    std::string text_;
    std::size_t written_ = 0;
    std::string stderr_line_;  // an incomplete line on stderr
    log_budget stderr_budget_{200, 200};
    io::time_point begun_at_{};
    io::time_point output_at_{};
    io::time_point asked_at_ = io::never;
    io::time_point closed_at_ = io::never;
};

}  // namespace sluice::compute
