// Bounded queues for stdout and stderr, and the thread that writes them.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sluice/base/fd.hpp"
#include "sluice/base/shared_object.hpp"

namespace sluice::cli {

/// The streams that a program writes to.
enum class stream : std::uint8_t { out, err };

/// Makes the line that says how many lines were dropped. Any thread.
using drop_notice = std::function<std::string(std::uint64_t)>;

/// Writes text to stdout and stderr for threads that must not wait for whatever reads it: a
/// terminal that was stopped by Ctrl-S, a pager, a log pipe that is stuck. A thread of its own
/// writes what is queued, each stream as fast as that one is read; where both are one pipe or
/// terminal, in the order in which text was added. Text that finds its stream's queue full is
/// dropped; its lines are counted, and the count is written where they are missing.
///
/// Without a thread, for the fork model: a process with threads cannot fork safely, and a child has
/// none of its parent's threads. Text is written at once there, without blocking, and the pipe is
/// the bounded queue. O_NONBLOCK is set on an open file description of our own
/// (open_again_nonblocking); where there is none, poll(2) says whether a piece of PIPE_BUF bytes
/// fits (pipe(7)). Lines of at most PIPE_BUF bytes stay whole. What is dropped is counted in memory
/// that all processes share, and the next that finds room says so. A pipe to the parent was not
/// taken: children outlive a parent that is killed, and the loop that forks would have to read it.
class output_queue {
 public:
    /// The descriptors of stdout and stderr stay the caller's. At most `most` bytes of each wait.
    explicit output_queue(std::array<int, 2> descriptors, std::size_t most = std::size_t{1} << 20);
    output_queue(const output_queue&) = delete;
    output_queue& operator=(const output_queue&) = delete;
    /// As finish().
    ~output_queue();

    /// Takes text that ends in a newline, or a piece of what is drawn on a terminal. Any thread.
    /// The first text starts the thread; without one (pthread_create(3)), text is written at once.
    void add(stream where, std::string_view text) noexcept;

    /// From now on no thread: call it before the first text, and before anything forks.
    void go_without_thread();
    /// Descriptors of its own, which forked children must keep open.
    [[nodiscard]] std::vector<int> descriptors() const;

    /// What is said on `where` of lines that were dropped; `<< N lines were not shown here >>`
    /// until then. Call it before other threads add text.
    void set_notice(stream where, drop_notice notice);

    /// Waits until all that was added is written. Gives up when a stream takes nothing for
    /// `patience`, or after three times that: false then.
    bool flush(std::chrono::milliseconds patience) noexcept;

    /// Flushes for a second or, while the reader goes on, three, and ends the thread; text that is
    /// added later is written at once, without blocking. Returns the lines that stdout did not
    /// take. A thread that cannot end, held by its own write, is left behind for the process to
    /// end.
    std::uint64_t finish() noexcept;

 private:
    struct state;
    struct shared_counts {
        std::array<std::atomic<std::uint64_t>, 2> dropped{};
        std::array<std::atomic<bool>, 2> stuck{};  // somebody waited for room in vain
        std::array<std::atomic<bool>, 2> torn{};   // the last line lacks its end
    };

    bool start() noexcept;
    [[nodiscard]] std::size_t lane_of(stream where) const noexcept {
        return where == stream::out ? 0 : err_lane_;
    }
    static void work(state& s) noexcept;
    void write_now(stream where, std::string_view text) noexcept;
    [[nodiscard]] bool write_piece(std::size_t lane, std::string_view& text, int wait_ms) noexcept;

    std::array<int, 2> descriptors_;
    std::size_t err_lane_ = 1;  // 0 where stderr is the same thing as stdout
    std::array<unique_fd, 2> own_;
    std::size_t most_;
    std::array<drop_notice, 2> notices_;
    shared_object<shared_counts> shared_;
    std::shared_ptr<state> state_;
    std::thread thread_;
    std::mutex starting_;
    std::atomic<bool> started_ = false;
    std::atomic<bool> direct_ = false;
    pid_t first_process_;
};

/// That of this process.
[[nodiscard]] output_queue& output();

}  // namespace sluice::cli
