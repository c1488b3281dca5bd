// Digests of files beside what else goes on: after the answer, or along with the upload.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "sluice/base/fd.hpp"
#include "sluice/base/result.hpp"
#include "sluice/service/files/digest.hpp"
#include "sluice/transfer/moved.hpp"
#include "sluice/wire/digest_field.hpp"

namespace sluice::service::files {

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
    void keep_digest_of(int file) const;

    std::mutex mutex_;
    std::condition_variable news_;
    std::deque<unique_fd> files_;
    std::atomic<bool> stopping_ = false;
    std::optional<std::thread> worker_;  // started when there is something to do, never by fork
};

/// Takes the digest of a file that is being written, behind the one who writes, on a thread of its
/// own: what was just written is still in the cache, and at the end nearly nothing is left to do.
class digest_follower {
 public:
    /// `file` holds `base` bytes already; `told` counts what comes behind them. Both outlive this,
    /// or what is between start() and stop().
    digest_follower(int file, std::uint64_t base, const transfer::moved& told);
    digest_follower(const digest_follower&) = delete;
    digest_follower& operator=(const digest_follower&) = delete;
    ~digest_follower();

    /// Goes along from now on. Without a thread to be had, everything is left to finish().
    void start() noexcept;
    /// Nothing is read any more from here on: the file may be closed. A moment at most.
    void stop() noexcept;
    /// The digest of the first `size` bytes, which are all there. Blocks: offload it from a loop.
    [[nodiscard]] result<wire::sha256_value> finish(std::uint64_t size);

 private:
    void follow() noexcept;

    int file_;
    std::uint64_t base_;
    const transfer::moved& told_;
    running_digest digest_;
    result<void> so_far_;
    std::atomic<bool> stopping_ = false;
    std::optional<std::thread> thread_;
};

}  // namespace sluice::service::files
