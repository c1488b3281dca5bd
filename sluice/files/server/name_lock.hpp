// Readers-writer lock on the names of one directory, between threads and between processes.
#pragma once

#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "sluice/base/result.hpp"
#include "sluice/base/sometimes.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/shared_mutex.hpp"

namespace sluice::files {

/// link and unlink take it shared; check-then-link takes it exclusive, so that the check still
/// holds when the name is given. flock(2) on the directory, and a mutex for file systems that have
/// no such locks.
class name_lock {
 public:
    name_lock(os::shared_mutex& names, bool exclusive) noexcept
        : names_{names}, exclusive_{exclusive} {}
    name_lock(const name_lock&) = delete;
    name_lock& operator=(const name_lock&) = delete;
    ~name_lock() { release(); }

    /// `folder` is an open file description of the caller's own, and stays open. EAGAIN where the
    /// lock is held, EBUSY where it is held for 5 s although the caller `may_wait`.
    [[nodiscard]] result<void> take(int folder, bool may_wait) noexcept {
        os::kernel& sys = os::sys();
        const auto until = os::clock::now() + longest_wait;
        for (;;) {
            const int failed = sys.flock(folder, (exclusive_ ? LOCK_EX : LOCK_SH) | LOCK_NB);
            if (failed == -EINTR) continue;
            if (failed != -EWOULDBLOCK) break;
            sometimes(rare_path::files_name_locked);
            if (!may_wait) return failure_of(EAGAIN);
            if (os::clock::now() >= until) return failure_of(EBUSY);
            os::sleep_for(pause);
        }
        folder_ = folder;
        // Its holders make a few system calls that do not wait.
        if (exclusive_) {
            names_.lock();
        } else {
            names_.lock_shared();
        }
        return {};
    }
    void release() noexcept {
        if (folder_ < 0) return;
        if (exclusive_) {
            names_.unlock();
        } else {
            names_.unlock_shared();
        }
        os::sys().flock(std::exchange(folder_, -1), LOCK_UN);
    }

 private:
    static constexpr auto longest_wait = std::chrono::seconds{5};
    static constexpr auto pause = std::chrono::milliseconds{1};

    os::shared_mutex& names_;
    bool exclusive_;
    int folder_ = -1;
};

}  // namespace sluice::files
