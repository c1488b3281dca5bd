// A pool of long-lived child programs, of any language, that answer one line with one line.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sluice/base/fd.hpp"
#include "sluice/base/result.hpp"
#include "sluice/base/shared_object.hpp"
#include "sluice/compute/server/line_program.hpp"
#include "sluice/compute/server/process_guard.hpp"
#include "sluice/compute/server/work.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/timer.hpp"

namespace sluice::compute {

struct process_pool_options {
    std::vector<std::string> command;  ///< the program, found as a shell finds it, and its words
    unsigned count = 1;                ///< how many of it run at a time
    std::size_t queue = 1024;          ///< questions that may wait for one of them
    io::duration deadline = std::chrono::seconds{30};  ///< for a question, waiting included
    std::size_t max_line = std::size_t{1} << 20;       ///< longest answer, in bytes
    bool fresh = false;                                ///< a new process for each question
    /// A program that says nothing for so long is worth a line in the log, and gives way to others
    /// if its client has ended its side.
    io::duration silence = std::chrono::seconds{5};
    /// An asker holds a thread that others may wait for, as under the sync and pool models.
    bool holds_thread = false;
    const process_guard* guard = nullptr;  ///< ends them if this process is killed; may be null
    /// Takes what they print on stderr, a line at a time and fit for a terminal. Any thread.
    std::function<void(std::string_view)> heard = {};
    /// Takes what goes wrong with them. Any thread.
    std::function<void(std::string_view)> trouble = {};
};

/// What was counted. Any thread, and any process forked after the pool was made.
struct process_counters {
    std::atomic<std::uint64_t> started = 0;
    std::atomic<std::uint64_t> ended = 0;    ///< by themselves, or as they were told
    std::atomic<std::uint64_t> killed = 0;   ///< by the pool
    std::atomic<std::uint64_t> unasked = 0;  ///< lines thrown away, as they answered no question
    // Said once for all processes that share the counters.
    std::atomic<bool> told_silent = false;
    std::atomic<bool> told_unread = false;
    std::atomic<bool> told_banner = false;
    std::atomic<bool> told_unasked = false;
};

/// A fixed number of programs, asked one question at a time (line_program), and a supervisor thread
/// that does all of their I/O.
///
/// A program that printed a line more than it was asked, or was late, is replaced before the next
/// question. What a program prints after it has begun to read the next question cannot be told from
/// an answer; so once one has printed too much, each of the next 100 questions has a new process.
///
/// One that ends is started again: at once, and after pauses that grow from 100 ms to 10 s if it
/// was asked nothing. A program has its own process group, which is killed with it.
class process_pool {
 public:
    /// Starts nothing yet. The error, a sentence without its full stop: there is no such program.
    [[nodiscard]] static std::expected<std::unique_ptr<process_pool>, std::string> make(
        process_pool_options o);
    process_pool(const process_pool&) = delete;
    process_pool& operator=(const process_pool&) = delete;
    /// stop() at once, and waits for the end of all.
    ~process_pool();

    /// Starts the programs now rather than at the first question; not in a process that is to fork.
    void start();
    /// Variables ("NAME=value") for programs that are started from now on. Before start().
    void set_environment(std::vector<std::string> more) { environment_ = std::move(more); }

    /// The answer. fault::queue_full when too many wait; fault::timed_out at the deadline;
    /// fault::closed when no program runs, or the one asked ended, or printed a longer line than
    /// may be; fault::cancelled. A newline within the question becomes a space. The thread of
    /// `here`, whose engine may be of any kind. `of` outlives the call.
    [[nodiscard]] coro::task<result<std::string>> ask(io::engine& here, std::string question,
                                                      question_context& of);

    /// At `when` ends every ask(), and begins to end the programs: those at rest have the end of
    /// their input, and SIGTERM a second later; those that were asked have SIGTERM. What runs at
    /// `kill`, or half a second after `when` if that is later, is killed. The earlier of two calls
    /// counts. Any thread.
    void stop(io::time_point when, io::time_point kill) noexcept;
    /// After stop(): blocks until all have ended.
    void join() noexcept;

    /// How many run at the moment.
    [[nodiscard]] unsigned running() const;
    [[nodiscard]] const process_counters& counted() const noexcept { return *counters_; }

 private:
    struct request;
    struct exchange;
    struct member;
    using programs = std::list<member>;

    explicit process_pool(process_pool_options o);

    // The askers' side.
    [[nodiscard]] result<void> submit(request& r);
    [[nodiscard]] bool withdraw(request& r) noexcept;
    void ring() const noexcept;

    // The supervisor's side, with the mutex held but for supervise() and wait().
    void supervise();
    /// Whether there is nothing left to supervise. Throws std::bad_alloc.
    bool supervise_once();
    void wait(io::time_point until);
    [[nodiscard]] io::time_point advance(io::time_point now);
    void expire_queue(io::time_point now, io::time_point& next);
    void mind(member& m, io::time_point now, io::time_point& next);
    void mind_leaving(member& m, io::time_point now, io::time_point& next);
    void revive(io::time_point now, io::time_point& next);
    void assign(io::time_point now);
    void take_in(member& m, line_program::event what, io::time_point now);
    void discard(member& m, std::string_view why, int signal, io::time_point now);
    void mistrust(member& m, std::uint64_t lines, io::time_point now);
    void put_back(member& m);
    void bury(programs::iterator which, io::time_point now);
    void tell_end(const member& m, int status, bool unasked, io::duration pause,
                  io::time_point now);
    void hear(member& m, bool all, io::time_point now);
    static void finish(request*& r, result<std::string> outcome) noexcept;
    void spawn(io::time_point now);
    [[nodiscard]] std::size_t serving() const noexcept;
    [[nodiscard]] std::size_t at_rest() const noexcept;
    [[nodiscard]] std::string name_of(const member& m) const;
    void tell(std::string what);
    void tell_some(io::time_point now, std::string what);

    process_pool_options options_;
    std::vector<std::string> environment_;
    shared_object<process_counters> counters_;
    mutable std::mutex mutex_;
    std::list<request*> queue_;
    programs programs_;
    unsigned failures_ = 0;  // ends of programs that were asked nothing, in a row
    unsigned doubt_ = 0;     // questions for each of which there is a process of its own
    io::time_point retry_ = io::time_point::min();
    io::time_point stop_at_ = io::never;
    io::time_point kill_at_ = io::never;
    bool stopped_ = false;  // stop_at_ has come
    bool started_ = false;
    log_budget said_{10, 1};
    struct saying {
        bool trouble;
        std::string what;
    };
    std::vector<saying> to_say_;  // said without the mutex
    unique_fd bell_;
    std::thread supervisor_;
};

}  // namespace sluice::compute
