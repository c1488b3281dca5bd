// Programs of any language that answer lines with lines, kept running and asked in turn.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sluice/base/fd.hpp"
#include "sluice/base/result.hpp"
#include "sluice/io/timer.hpp"

namespace sluice::service {

struct programs_options {
    std::vector<std::string> command;  ///< the program, found as a shell finds it, and its words
    unsigned count = 1;                ///< how many of it run at a time
    std::size_t queue = 1024;          ///< questions that may wait for one of them
    io::duration deadline = io::duration::max();  ///< for a question, waiting included
    std::size_t max_line = std::size_t{1} << 20;  ///< longest answer, in bytes
    /// Takes what they say on stderr, a line at a time and fit for a terminal. Any thread.
    std::function<void(std::string_view)> heard;
    /// Takes what goes wrong with them. Any thread.
    std::function<void(std::string_view)> trouble;
};

/// A fixed number of long-lived children, each of which reads a question line on stdin and writes
/// an answer line on stdout. One that ends is started again: at once the first time, then after
/// pauses that grow from 100 ms to 10 s until it answers again. They hear no Ctrl-C of our
/// terminal, and read the end of their stdin when we end. Any thread.
class programs {
 public:
    /// Nothing is started yet. The error, a sentence without its full stop: there is no such
    /// program.
    [[nodiscard]] static std::expected<std::unique_ptr<programs>, std::string> make(
        programs_options o);
    programs(const programs&) = delete;
    programs& operator=(const programs&) = delete;
    /// Ends and reaps them all.
    ~programs();

    /// Starts them now rather than at the first question; not in a process that is to fork.
    void start();

    /// Waits for a program that is free, asks it, and waits for its answer. fault::queue_full when
    /// too many wait; fault::timed_out at the deadline, and a program that was asked is then
    /// killed; fault::closed when no program runs, or the one asked ended or answered more than a
    /// line. A newline within the question becomes a space.
    [[nodiscard]] result<std::string> ask(std::string_view question);

    /// Kills them, which ends every ask(), and starts none again.
    void shut() noexcept;

    /// How many run at the moment.
    [[nodiscard]] unsigned running() const;

 private:
    struct child;

    explicit programs(programs_options o);
    void keep();
    [[nodiscard]] io::time_point revive(io::time_point now);
    void watch(io::time_point until);
    void hear(child& c, bool all);
    void bury(child& c);
    [[nodiscard]] bool spawn(child& c);
    [[nodiscard]] result<child*> acquire(io::time_point until);
    void release(child& c, bool sound);
    [[nodiscard]] result<std::string> exchange(child& c, std::string_view question,
                                               io::time_point until) const;
    [[nodiscard]] bool any_expected() const noexcept;
    void ring() const noexcept;

    programs_options options_;
    mutable std::mutex mutex_;
    std::condition_variable free_;
    std::deque<child> children_;
    std::size_t waiting_ = 0;
    bool started_ = false;
    bool shut_ = false;
    unique_fd bell_;
    std::thread keeper_;
};

}  // namespace sluice::service
