// Defines download_digest: what the server says a download's digest is, and what it is.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "sluice/base/bytes.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/files/client/link.hpp"
#include "sluice/files/client/progress.hpp"
#include "sluice/files/client/transfer_error.hpp"
#include "sluice/files/digest_pool.hpp"
#include "sluice/files/sha256.hpp"
#include "sluice/http/digest_field.hpp"
#include "sluice/http/response.hpp"

namespace sluice::files {

/// The digest of a download into a file, which a thread follows while the file grows, or into a
/// stream. The arguments of the constructor outlive it. The constructor throws std::bad_alloc. Of
/// the thread of `conn`.
class download_digest {
 public:
    download_digest(link& conn, progress& state) : link_{conn}, progress_{state} {}

    /// Takes over the server's digest from a head or a trailer that has one.
    void expect(const http::http_response& head);
    void expect_none() noexcept { expected_.reset(); }
    [[nodiscard]] const std::optional<http::sha256_value>& expected() const noexcept {
        return expected_;
    }

    /// Starts a digest of all of `file`, which has `size` bytes so far, on a thread that follows
    /// it, unless one runs already.
    void follow(int file, std::uint64_t size);
    /// Before the file is replaced by another one.
    void stop_following() noexcept { follower_.reset(); }
    /// Digests the bytes that the thread has not read yet, while the disk writes the file, if
    /// `sync`. Errno of pread(2) and fdatasync(2). Only after follow(), and once.
    [[nodiscard]] coro::task<result<http::sha256_value>> of_file(std::uint64_t size, bool sync);

    /// Adds bytes that were written to the stream.
    void add(const_bytes written) noexcept { sum_.add(written); }
    /// Once.
    [[nodiscard]] http::sha256_value of_stream() noexcept { return sum_.finish(); }

    /// An error unless `actual` is as expected(), which there is; `advice` ends its message.
    [[nodiscard]] attempt<void> compare(const http::sha256_value& actual,
                                        std::string_view advice) const;

 private:
    link& link_;
    progress& progress_;
    std::optional<http::sha256_value> expected_;
    sha256_sum sum_;
    digest_pool pool_;
    std::optional<digest_follower> follower_;
    int file_ = -1;
    std::uint64_t base_ = 0;  // bytes of the file that were there before the first that was moved
};

}  // namespace sluice::files
