// Defines process_pool: long-lived child programs of any language that answer a line with a line.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/compute/server/handler.hpp"
#include "sluice/compute/server/line_program.hpp"
#include "sluice/compute/server/process_guard.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/os/mutex.hpp"
#include "sluice/os/shared_object.hpp"
#include "sluice/os/thread.hpp"
#include "sluice/os/wakeup.hpp"

namespace sluice::compute {

struct process_pool_options {
    std::vector<std::string> command;  ///< the program, looked up in PATH, and its arguments
    unsigned count = 1;                ///< programs running at a time
    std::size_t queue = 1024;          ///< questions that may wait for a program
    io::duration deadline = std::chrono::seconds{30};  ///< of a question, waiting included
    std::size_t max_line = std::size_t{1} << 20;       ///< of an answer, in bytes
    bool fresh = false;                                ///< a new process per question
    /// Bytes of memory that a program, and each that it starts, may have of its own (RLIMIT_DATA of
    /// setrlimit(2)); 0: as this process.
    std::uint64_t memory = 0;
    io::duration longest =
        io::duration::max();  ///< that a program may take over a question that it has read
    /// Called on the thread that starts the programs, before the first of them, to restrict it and
    /// them. The error is a sentence without its full stop: then no program is started. May be
    /// empty.
    std::function<std::expected<void, std::string>()> confine = {};
    /// After this long without output, a busy program is logged, and replaced if its client has
    /// closed its sending side and other questions wait.
    io::duration silence = std::chrono::seconds{5};
    /// ask() holds a thread that other clients may wait for, as under the sync and pool models.
    bool holds_thread = false;
    const process_guard* guard = nullptr;  ///< ends them if this process is killed; may be null
    /// Receives a printable line of a program's stderr. Any thread.
    std::function<void(std::string_view)> heard = {};
    /// Receives a sentence about a program's failure. Any thread.
    std::function<void(std::string_view)> on_error = {};
};

/// Counters of a pool. Any thread, and any process forked after the pool was made.
struct process_counters {
    std::atomic<std::uint64_t> started = 0;
    std::atomic<std::uint64_t> ended = 0;    ///< by themselves or on request
    std::atomic<std::uint64_t> killed = 0;   ///< by the pool
    std::atomic<std::uint64_t> unasked = 0;  ///< lines dropped that answered no question
    // Each is logged once for all processes that share the counters.
    std::atomic<bool> logged_silent = false;
    std::atomic<bool> logged_unread = false;
    std::atomic<bool> logged_banner = false;
    std::atomic<bool> logged_unasked = false;
};

/// A fixed number of programs, each with one question at a time (line_program), and a supervisor
/// thread that does all of their I/O.
///
/// A program that printed an extra line or exceeded the deadline is replaced before the next
/// question; one that has not read its question by then may still do so for 5 s, 1 s if other
/// questions wait, and its answer is dropped. A line printed after the program has begun to read
/// the next question looks like an answer; so after an extra line, each of the next 100 questions
/// gets a new process.
///
/// A program that ends is restarted at once, or after pauses that grow from 100 ms to 10 s if it
/// was asked nothing. A program has its own process group, which is killed with it.
class process_pool {
 public:
    /// Starts no program yet. Error: the program does not exist, a sentence without its full stop.
    [[nodiscard]] static std::expected<std::unique_ptr<process_pool>, std::string> make(
        process_pool_options o);
    process_pool(const process_pool&) = delete;
    process_pool& operator=(const process_pool&) = delete;
    /// Stops at once and joins.
    ~process_pool();

    /// Starts the programs now instead of at the first question. Not before a fork(2).
    void start();
    /// Sets variables ("NAME=value") for the programs. Before start().
    void set_environment(std::vector<std::string> more) { environment_ = std::move(more); }

    /// The answer. fault::queue_full if too many questions wait; fault::timed_out at the deadline;
    /// fault::closed if no program runs, or the program asked has ended or printed a line over the
    /// limit; fault::cancelled. A newline in the question becomes a space. Thread of `engine`, of
    /// any kind. `state` outlives the call.
    [[nodiscard]] coro::task<result<std::string>> ask(io::engine& engine, std::string question,
                                                      question_context& state);

    /// At `when`, ends every ask() and stops the programs: an idle one gets the end of its input,
    /// then SIGTERM a second later; a busy one gets SIGTERM. Programs still running at `kill`, or
    /// half a second after `when` if that is later, are killed. Of several calls the earliest times
    /// apply. Any thread.
    void stop(io::time_point when, io::time_point kill) noexcept;
    /// stop() for a server that drains for `grace`: programs may finish their answers, are told to
    /// end half a second before the grace is over, or in the middle of a shorter one, and are
    /// killed at its end. Any thread.
    void drain(io::duration grace) noexcept;
    /// Once no client is left: stops now, kills what still runs after `grace`, and blocks until all
    /// programs have ended.
    void stop_and_join(io::duration grace) noexcept;
    /// After stop(): blocks until all programs have ended.
    void join() noexcept;

    /// Programs running now, without those that are ending.
    [[nodiscard]] unsigned running() const;
    [[nodiscard]] const process_counters& counted() const noexcept { return *counters_; }

 private:
    struct request;
    struct exchange;
    struct member;
    using programs = std::list<member>;

    explicit process_pool(process_pool_options o);

    // Called by ask().
    [[nodiscard]] result<void> submit(request& r);
    [[nodiscard]] bool withdraw(request& r) noexcept;
    void wake() const noexcept;

    // Supervisor thread, with the mutex held except in supervise(), supervise_once() and wait().
    void supervise();
    /// True once the pool has stopped and all programs have ended. Throws std::bad_alloc.
    bool supervise_once();
    /// False if the thread cannot be restricted: the pool is stopped.
    bool confine();
    void wait(io::time_point until);
    [[nodiscard]] io::time_point advance(io::time_point now);
    void expire_queue(io::time_point now, io::time_point& next);
    void check_member(member& m, io::time_point now, io::time_point& next);
    void check_leaving(member& m, io::time_point now, io::time_point& next);
    void restart_programs(io::time_point now, io::time_point& next);
    void assign(io::time_point now);
    void on_program_event(member& m, line_program::event what, io::time_point now);
    void discard(member& m, std::string_view why, int signal, io::time_point now);
    void on_unasked_line(member& m, std::uint64_t lines, io::time_point now);
    void requeue(member& m);
    void on_child_exit(programs::iterator which, io::time_point now);
    void report_exit(const member& m, int status, bool unasked, io::duration pause,
                     io::time_point now);
    void read_stderr(member& m, bool all, io::time_point now);
    static void finish(request*& r, result<std::string> outcome) noexcept;
    void spawn(io::time_point now);
    [[nodiscard]] std::size_t running_count() const noexcept;
    [[nodiscard]] std::size_t idle_count() const noexcept;
    [[nodiscard]] std::string name_of(const member& m) const;
    void report(std::string what);
    void report_limited(io::time_point now, std::string what);

    process_pool_options options_;
    std::vector<std::string> environment_;
    shared_object<process_counters> counters_;
    mutable os::mutex mutex_;
    std::list<request*> queue_;
    programs programs_;
    unsigned failures_ = 0;    // exits of programs that were asked nothing, in a row
    unsigned fresh_left_ = 0;  // questions that still get a process of their own
    io::time_point retry_ = io::time_point::min();
    io::time_point stop_at_ = io::never;
    io::time_point kill_at_ = io::never;
    bool stopped_ = false;  // stop_at_ has passed
    bool started_ = false;
    log_budget log_budget_{10, 1};
    struct log_line {
        bool is_error;
        std::string what;
    };
    std::vector<log_line> log_lines_;  // written without the mutex held
    os::wakeup wakeup_;
    os::thread supervisor_;
};

}  // namespace sluice::compute
