// Readers-writer lock whose waits go through the kernel of the process.
#pragma once

#include <mutex>

#include "sluice/os/mutex.hpp"

namespace sluice::os {

/// Locked by one thread, or shared by many; a thread that wants it shared does not wait for one
/// that wants it alone. Any thread.
class shared_mutex {
 public:
    void lock() noexcept {
        std::unique_lock lock{mutex_};
        freed_.wait(lock, [this] { return holders_ == 0; });
        holders_ = alone;
    }
    void unlock() noexcept {
        const std::lock_guard lock{mutex_};
        holders_ = 0;
        freed_.notify_all();
    }
    void lock_shared() noexcept {
        std::unique_lock lock{mutex_};
        freed_.wait(lock, [this] { return holders_ != alone; });
        ++holders_;
    }
    void unlock_shared() noexcept {
        const std::lock_guard lock{mutex_};
        if (--holders_ == 0) freed_.notify_all();
    }

 private:
    static constexpr int alone = -1;

    mutex mutex_;
    condition freed_;
    int holders_ = 0;
};

}  // namespace sluice::os
