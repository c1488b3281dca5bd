// SHA-256 of a file, at once or incrementally, and its storage in an extended attribute.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/files/sha256.hpp"
#include "sluice/http/digest_field.hpp"

namespace sluice::files {

/// Incremental SHA-256 of a file from the offset `from` on, advanced as the file grows.
class running_digest {
 public:
    /// Throws std::bad_alloc.
    explicit running_digest(std::uint64_t from = 0) : place_{from} {}

    /// Digests the bytes from place() to `end`, or to the end of the file. Blocks, about half a
    /// second per gigabyte. Errno of pread(2); ENOMEM.
    [[nodiscard]] result<void> go_to(int file, std::uint64_t end);
    /// Copies the state of `other`. False without memory: nothing has changed then.
    [[nodiscard]] bool become(const running_digest& other) noexcept;
    /// Offset up to which the file has been digested.
    [[nodiscard]] std::uint64_t place() const noexcept { return place_; }
    /// The digest of the bytes read so far. Called once.
    [[nodiscard]] http::sha256_value finish() noexcept { return sum_.finish(); }

 private:
    sha256_sum sum_;
    std::uint64_t place_;
};

/// Reads the whole file, and blocks: offload it from a loop. Throws std::bad_alloc.
[[nodiscard]] result<http::sha256_value> digest_of(int file);
/// The first 32 hexadecimal digits of the SHA-256 of `text`. Throws std::bad_alloc.
[[nodiscard]] std::string short_hash_of(std::string_view text);

/// Stores `digest` in an extended attribute of the file (`user.sluice.sha256`: xattr(7)), with the
/// size and the modification time that it is for. Does nothing where the file system has no
/// attributes.
void keep_digest(int file, const struct stat& now, const http::sha256_value& digest) noexcept;
/// The stored digest, if size and modification time are still those of `now`.
[[nodiscard]] std::optional<http::sha256_value> kept_digest(int file,
                                                            const struct stat& now) noexcept;

/// kept_digest() through a cache per thread, valid until the change time differs: repeated requests
/// for small files cost no system call.
[[nodiscard]] std::optional<http::sha256_value> remembered_digest(int file,
                                                                  const struct stat& now) noexcept;

}  // namespace sluice::files
