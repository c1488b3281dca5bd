// Low-priority queue of stored files whose digests are computed in the background.
#pragma once

#include <atomic>
#include <deque>

#include "sluice/os/fd.hpp"
#include "sluice/os/mutex.hpp"
#include "sluice/os/thread.hpp"

namespace sluice::files {

/// Digests files one after another on a thread of the priority SCHED_IDLE, and stores each digest.
/// Any thread. A file beyond the limit, or left at destruction, is digested on request of a client.
class digest_queue {
 public:
    digest_queue() noexcept = default;
    digest_queue(const digest_queue&) = delete;
    digest_queue& operator=(const digest_queue&) = delete;
    ~digest_queue();

    /// Duplicates the descriptor.
    void add(int file) noexcept;

 private:
    void work() noexcept;
    /// Does nothing without memory.
    void keep_digest_of(int file) const noexcept;

    os::mutex mutex_;
    os::condition wakeup_;
    std::deque<unique_fd> files_;
    std::atomic<bool> stopping_ = false;
    os::thread worker_;  // started by the first add(), never by fork(2)
};

}  // namespace sluice::files
