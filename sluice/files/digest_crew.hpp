// Digests of files that are still coming in: a few threads read behind those who write.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "sluice/base/fd.hpp"
#include "sluice/base/result.hpp"
#include "sluice/files/digest.hpp"
#include "sluice/http/digest_field.hpp"
#include "sluice/transfer/moved.hpp"

namespace sluice::files {

/// Goes along with any number of files, a piece of this and a piece of that, on a few threads that
/// run only where nobody else wants to: what was just written is still in the cache, and whoever
/// writes is not slowed. Threads are started when there is something to do, never by fork.
class digest_crew {
 public:
    digest_crew() noexcept = default;
    digest_crew(const digest_crew&) = delete;
    digest_crew& operator=(const digest_crew&) = delete;
    ~digest_crew();

 private:
    friend class digest_follower;
    /// One file. What changes does so under the lock.
    struct followed {
        unique_fd file;
        std::uint64_t base = 0;
        const transfer::moved* told = nullptr;
        running_digest digest;
        bool busy = false;   // somebody reads a piece of it
        bool taken = false;  // the digest is its owner's again

        [[nodiscard]] std::uint64_t there() const noexcept { return base + told->bytes(); }
    };

    /// False without memory.
    [[nodiscard]] bool add(const std::shared_ptr<followed>& one) noexcept;
    /// From here on nobody touches its digest; a piece that is being read is read for nothing.
    void take_back(followed& one) noexcept;
    void drop(const followed& one) noexcept;
    void work() noexcept;
    [[nodiscard]] std::shared_ptr<followed> next() noexcept;

    std::mutex mutex_;
    std::condition_variable news_;
    std::deque<std::shared_ptr<followed>> followed_;
    bool stopping_ = false;
    std::deque<std::optional<std::thread>> workers_;
};

/// The digest of one file that is being written.
class digest_follower {
 public:
    /// `file` holds `base` bytes before what `told` counts; both may count over 2^64, and only
    /// their sum matters. Crew, file and count outlive this. Holds nothing until it is started or
    /// finished.
    digest_follower(digest_crew& crew, int file, std::uint64_t base,
                    const transfer::moved& told) noexcept
        : crew_{crew}, file_{file}, base_{base}, told_{told} {}
    digest_follower(const digest_follower&) = delete;
    digest_follower& operator=(const digest_follower&) = delete;
    ~digest_follower();

    /// The crew goes along from now on, once. Where it cannot, everything is left to finish().
    void start() noexcept;
    /// The crew lets go of it, at once.
    void stop() noexcept;
    /// How much of the first `size` bytes is left to finish(), which is over at once for little.
    /// Stops.
    [[nodiscard]] std::uint64_t left(std::uint64_t size) noexcept;
    /// Takes in what is left of the first `size` bytes, so that less is left to finish(). Blocks,
    /// as that does, and fails as that.
    [[nodiscard]] result<void> catch_up(std::uint64_t size);
    /// The digest of the first `size` bytes, which are all there. Blocks, at the caller's priority:
    /// offload it from a loop. EIO and the like; fault::cancelled after give_up().
    [[nodiscard]] result<http::sha256_value> finish(std::uint64_t size);
    /// Nobody needs it any more: finish() gives up soon. Any thread.
    void give_up() noexcept { given_up_ = true; }

 private:
    /// False without memory.
    [[nodiscard]] bool has_state() noexcept;

    digest_crew& crew_;
    int file_;
    std::uint64_t base_;
    const transfer::moved& told_;
    std::shared_ptr<digest_crew::followed> state_;
    bool started_ = false;
    std::atomic<bool> given_up_ = false;
};

}  // namespace sluice::files
