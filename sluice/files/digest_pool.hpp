// Computes the digests of files that are still being written, on a few low-priority threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "sluice/base/result.hpp"
#include "sluice/files/digest.hpp"
#include "sluice/http/digest_field.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/mutex.hpp"
#include "sluice/os/thread.hpp"
#include "sluice/transfer/byte_counter.hpp"

namespace sluice::files {

/// Digests any number of growing files, a piece of each in turn, on a few threads of the priority
/// SCHED_IDLE: the bytes just written are still in the page cache, and the writers are not slowed.
/// A thread starts when there is a file to digest; fork(2) starts none.
class digest_pool {
 public:
    digest_pool() noexcept = default;
    digest_pool(const digest_pool&) = delete;
    digest_pool& operator=(const digest_pool&) = delete;
    ~digest_pool();

 private:
    friend class digest_follower;
    /// One file. Its state changes only under the lock.
    struct followed_file {
        unique_fd file;
        std::uint64_t base = 0;
        const transfer::byte_counter* written = nullptr;
        running_digest digest;
        bool busy = false;       // a worker reads a piece of the file
        bool withdrawn = false;  // the digest belongs to its follower again

        [[nodiscard]] std::uint64_t size() const noexcept { return base + written->bytes(); }
    };

    /// False without memory.
    [[nodiscard]] bool add(const std::shared_ptr<followed_file>& entry) noexcept;
    /// No worker changes its digest from here on; the piece that a worker reads now is discarded.
    void withdraw(followed_file& entry) noexcept;
    void drop(const followed_file& entry) noexcept;
    void work() noexcept;
    [[nodiscard]] std::shared_ptr<followed_file> next() noexcept;

    os::mutex mutex_;
    os::condition wakeup_;
    std::deque<std::shared_ptr<followed_file>> files_;
    bool stopping_ = false;
    std::deque<os::thread> workers_;
};

/// The digest of one file while it is being written.
class digest_follower {
 public:
    /// `file` holds `base` bytes before those that `written` counts; both may wrap around 2^64,
    /// only their sum matters. `pool`, `file` and `written` outlive this. Allocates nothing before
    /// start(), catch_up() or finish().
    digest_follower(digest_pool& pool, int file, std::uint64_t base,
                    const transfer::byte_counter& written) noexcept
        : pool_{pool}, file_{file}, base_{base}, written_{written} {}
    digest_follower(const digest_follower&) = delete;
    digest_follower& operator=(const digest_follower&) = delete;
    ~digest_follower();

    /// The pool digests the file from now on; once. Where it cannot, finish() reads the whole file.
    void start() noexcept;
    /// Takes the file back from the pool, without a wait.
    void stop() noexcept;
    /// Stops. How many of the first `size` bytes are left to finish(), which is quick for few.
    [[nodiscard]] std::uint64_t left(std::uint64_t size) noexcept;
    /// Digests the rest of the first `size` bytes, so that less is left to finish(). Blocks and
    /// fails as finish() does.
    [[nodiscard]] result<void> catch_up(std::uint64_t size);
    /// The digest of the first `size` bytes, all of which are written. Blocks, at the priority of
    /// the caller: offload it from a loop. Errno of pread(2); fault::cancelled after give_up().
    [[nodiscard]] result<http::sha256_value> finish(std::uint64_t size);
    /// The digest is not needed any more: finish() fails soon. Any thread.
    void give_up() noexcept { given_up_ = true; }

 private:
    /// False without memory.
    [[nodiscard]] bool ensure_state() noexcept;

    digest_pool& pool_;
    int file_;
    std::uint64_t base_;
    const transfer::byte_counter& written_;
    std::shared_ptr<digest_pool::followed_file> state_;
    bool started_ = false;
    std::atomic<bool> given_up_ = false;
};

}  // namespace sluice::files
