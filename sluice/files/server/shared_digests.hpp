// Digests that clients request, computed once for all requests of the same file.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/files/digest.hpp"
#include "sluice/http/digest_field.hpp"
#include "sluice/os/mutex.hpp"

namespace sluice::files {

/// SHA-256 computations that run as long as a client that requested one is connected. The result is
/// kept beside the file (keep_digest()), and here for file systems without attributes. Any thread.
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
        bool busy = false;  // a thread is in running_digest::go_to()
        std::optional<result<http::sha256_value>> made;
    };
    static constexpr std::size_t max_cached = 256;

    os::mutex mutex_;
    os::condition progressed_;
    std::vector<std::shared_ptr<computation>> running_;
    std::deque<std::pair<identity, http::sha256_value>> made_;
};

/// One client's request for the digest of a file. Its destructor gives it up.
class digest_request {
 public:
    /// `now` is the state of `file`, which stays open. Throws std::bad_alloc.
    digest_request(shared_digests& all, int file, const struct stat& now);
    digest_request(const digest_request&) = delete;
    digest_request& operator=(const digest_request&) = delete;
    ~digest_request();

    /// Digests up to `most` bytes more, or waits for 50 ms while another thread does. None as long
    /// as it is incomplete. Blocks: half a millisecond per MiB. Errno of pread(2); ESTALE where the
    /// file has changed.
    [[nodiscard]] result<std::optional<http::sha256_value>> go_on(std::uint64_t most);

 private:
    [[nodiscard]] result<http::sha256_value> finish();

    shared_digests& all_;
    int file_;
    struct stat now_;
    std::shared_ptr<shared_digests::computation> computation_;
};

}  // namespace sluice::files
