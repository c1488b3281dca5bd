// Digests of files that clients ask for: made once for all who want the same one.
#pragma once

#include <sys/stat.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/files/digest.hpp"
#include "sluice/http/digest_field.hpp"

namespace sluice::files {

/// Computations of SHA-256 that go on as long as one of those who asked is there. What is made is
/// kept beside the file (keep_digest()), and here for file systems that keep nothing. Any thread.
class shared_digests {
 public:
    shared_digests() noexcept = default;
    shared_digests(const shared_digests&) = delete;
    shared_digests& operator=(const shared_digests&) = delete;
    ~shared_digests() = default;

 private:
    friend class digest_request;
    /// A file in one state.
    struct identity {
        std::uint64_t device = 0;
        std::uint64_t inode = 0;
        std::uint64_t size = 0;
        std::int64_t modified = 0;  // nanoseconds

        explicit identity(const struct stat& now) noexcept;
        [[nodiscard]] bool operator==(const identity&) const noexcept = default;
    };
    struct computation {
        explicit computation(identity i) : of{i} {}

        identity of;
        running_digest digest;
        std::size_t requests = 0;
        bool driven = false;  // a thread is in running_digest::go_to()
        std::optional<result<http::sha256_value>> made;
    };
    static constexpr std::size_t most_remembered = 256;

    std::mutex mutex_;
    std::condition_variable moved_;
    std::vector<std::shared_ptr<computation>> running_;
    std::deque<std::pair<identity, http::sha256_value>> made_;
};

/// One client's request for the digest of a file. Given up by its destructor.
class digest_request {
 public:
    /// `now` is the state of `file`, which stays open. Throws std::bad_alloc.
    digest_request(shared_digests& all, int file, const struct stat& now);
    digest_request(const digest_request&) = delete;
    digest_request& operator=(const digest_request&) = delete;
    ~digest_request();

    /// Takes in up to `most` bytes more, or waits for a moment where another thread does. None as
    /// long as it is not done. Blocks: half a millisecond a MiB. EIO and the like; ESTALE where the
    /// file has changed.
    [[nodiscard]] result<std::optional<http::sha256_value>> go_on(std::uint64_t most);

 private:
    [[nodiscard]] result<http::sha256_value> finish();

    shared_digests& all_;
    int file_;
    struct stat now_;
    std::shared_ptr<shared_digests::computation> mine_;
};

}  // namespace sluice::files
