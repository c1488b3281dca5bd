// Bounded queues for stdout, stderr and the access log, and the thread that writes them.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/mutex.hpp"
#include "sluice/os/shared_object.hpp"
#include "sluice/os/thread.hpp"

namespace sluice::cli {

/// The streams that a program writes to. `access` is the access log: nothing, until open_access().
enum class stream : std::uint8_t { out, err, access };
inline constexpr std::size_t stream_count = 3;

/// How text of stream::access is written.
enum class access_target : std::uint8_t {
    file,       ///< a file, or a FIFO: lines
    datagrams,  ///< a socket: a datagram of each text up to a NUL, which is left out
};

/// Formats the line that reports how many lines were dropped. Any thread.
using drop_notice = std::function<std::string(std::uint64_t)>;

/// Writes to stdout and stderr for threads that must not wait for the reader: a terminal stopped by
/// Ctrl-S, a pager, a log pipe that is stuck. A thread of its own writes the queued text, each
/// stream as fast as its reader takes it; where both are the same pipe or terminal, in the order in
/// which text was added. Text that finds its stream's queue full is dropped; its lines are counted,
/// and the count is written in their place. Text of the access log waits a moment for more.
///
/// Without a thread, for the fork model: a process with threads cannot fork safely, and a child has
/// none of its parent's threads. Text is then written at once, without blocking, and the pipe is
/// the bounded queue. O_NONBLOCK is set on an open file description of our own
/// (open_again_nonblocking); where that fails, poll(2) says whether a piece of PIPE_BUF bytes fits
/// (pipe(7)). Lines of at most PIPE_BUF bytes stay whole. Dropped lines are counted in memory that
/// all processes share, and the next writer that finds space reports them. A pipe to the parent
/// does not do: children outlive a parent that is killed, and the loop that forks would have to
/// read it.
class output_queue {
 public:
    /// `descriptors`: stdout and stderr, which stay the caller's. Each queue holds `most` bytes.
    explicit output_queue(std::array<int, 2> descriptors, std::size_t most = std::size_t{1} << 20);
    output_queue(const output_queue&) = delete;
    output_queue& operator=(const output_queue&) = delete;
    /// Calls finish().
    ~output_queue();

    /// Queues text that ends in a newline, or a piece of a drawing on a terminal. Any thread. The
    /// first text starts the thread; if that fails (pthread_create(3)), text is written at once.
    void add(stream where, std::string_view text) noexcept;

    /// Where text of stream::access goes from now on: to `to`, which is open with O_NONBLOCK, or is
    /// a connected socket. Once, before other threads or processes add such text.
    void open_access(unique_fd to, access_target how) noexcept;
    /// The same, to stderr.
    void send_access_to_err() noexcept { access_to_err_ = true; }
    /// Writes to another file from now on: text that waits goes there, too. Any thread.
    [[nodiscard]] result<void> replace_access(unique_fd by) noexcept;

    /// Lines of the access log that were dropped, which are not counted in their place. Any thread.
    [[nodiscard]] std::uint64_t lost_of_access() const noexcept;

    /// Keeps text in the queues, and starts no thread, until release(): a process that changes its
    /// rights has one thread. finish() releases, too.
    void hold() noexcept { held_ = true; }
    /// Starts the thread, if there is text. The thread that called hold().
    void release() noexcept;

    /// Writes without a thread from now on; call it before the first text and before any fork.
    void go_without_thread();
    /// Its own descriptors, which forked children must keep open.
    [[nodiscard]] std::vector<int> descriptors() const;

    /// Sets the notice about dropped lines on `where`, which is not stream::access; until then it
    /// is
    /// `<< N lines were not shown here >>`. Call it before other threads add text.
    void set_notice(stream where, drop_notice notice);

    /// Waits until all added text is written. Gives up, and returns false, when neither stream
    /// takes anything for `timeout`, or after three times `timeout`.
    bool flush(std::chrono::milliseconds timeout) noexcept;

    /// Flushes for a second, or up to three while a reader makes progress, and ends the thread;
    /// text that is added later is written at once, without blocking. Returns the number of lines
    /// that stdout did not take. A thread that is blocked in a write is left to end with the
    /// process.
    std::uint64_t finish() noexcept;

 private:
    struct state;
    struct shared_counts {
        std::array<std::atomic<std::uint64_t>, stream_count> dropped{};
        std::array<std::atomic<bool>, stream_count> stuck{};  // a writer waited for space in vain
        std::array<std::atomic<bool>, stream_count> torn{};   // the last line lacks its end
    };

    static constexpr std::size_t access_lane = 2;

    bool start() noexcept;
    [[nodiscard]] std::size_t lane_of(stream where) const noexcept {
        if (where == stream::access && !access_to_err_) return access_lane;
        return where == stream::out ? 0 : err_lane_;
    }
    [[nodiscard]] bool is_closed(stream where) const noexcept {
        return where == stream::access && !access_to_err_ && !own_[access_lane];
    }
    /// What ends an entry of that lane.
    [[nodiscard]] char end_in(std::size_t lane) const noexcept {
        return lane == access_lane && access_target_ == access_target::datagrams ? '\0' : '\n';
    }
    void add_access_lane() noexcept;
    static void run_thread(state& s) noexcept;
    void write_now(stream where, std::string_view text) noexcept;
    [[nodiscard]] bool write_piece(std::size_t lane, std::string_view& text, int wait_ms) noexcept;

    std::array<int, stream_count> descriptors_;
    std::size_t err_lane_ = 1;  // 0 where stderr is the same pipe or terminal as stdout
    std::array<unique_fd, stream_count> own_;
    access_target access_target_ = access_target::file;
    bool access_to_err_ = false;
    std::size_t most_;
    std::array<drop_notice, stream_count> notices_;
    shared_if_possible<shared_counts> shared_;
    std::shared_ptr<state> state_;
    os::thread thread_;
    os::mutex starting_;
    std::atomic<bool> started_ = false;
    std::atomic<bool> direct_ = false;
    bool held_ = false;
    pid_t first_process_;
};

/// The queue of this process.
[[nodiscard]] output_queue& output() noexcept;

}  // namespace sluice::cli
