// Digests of files for which nobody waits.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "sluice/base/fd.hpp"

namespace sluice::files {

/// Makes the digests of files for which nobody waits, one after another, and keeps each beside its
/// file. Any thread. What is not done when it dies is left: it is made when somebody asks for it.
class digest_later {
 public:
    digest_later() noexcept = default;
    digest_later(const digest_later&) = delete;
    digest_later& operator=(const digest_later&) = delete;
    ~digest_later();

    /// Takes its own descriptor of the file.
    void add(int file) noexcept;

 private:
    void work() noexcept;
    /// Lack of memory leaves it to be made when it is asked for.
    void keep_digest_of(int file) const noexcept;

    std::mutex mutex_;
    std::condition_variable news_;
    std::deque<unique_fd> files_;
    std::atomic<bool> stopping_ = false;
    std::optional<std::thread> worker_;  // started when there is something to do, never by fork
};

}  // namespace sluice::files
