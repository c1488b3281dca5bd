// The SHA-256 of a file: at once, or while it grows; and how it is kept beside the file.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/http/digest_field.hpp"

struct evp_md_ctx_st;

namespace sluice::files {

/// The SHA-256 of a file from its beginning, or another place, taken further as the file grows.
class running_digest {
 public:
    /// Throws std::bad_alloc.
    explicit running_digest(std::uint64_t from = 0);
    running_digest(const running_digest&) = delete;
    running_digest& operator=(const running_digest&) = delete;
    ~running_digest();

    /// Takes in what lies between where it is and `end`, or the end of the file. Holds the thread
    /// for about half a second a gigabyte. EIO and the like; ENOMEM.
    [[nodiscard]] result<void> go_to(int file, std::uint64_t end);
    /// Goes on from where `other` is. False without memory: then it is of no more use.
    [[nodiscard]] bool become(const running_digest& other) noexcept;
    /// Up to where it has taken it in.
    [[nodiscard]] std::uint64_t place() const noexcept { return place_; }
    /// Of what it has taken in. Once.
    [[nodiscard]] result<http::sha256_value> finish();

 private:
    evp_md_ctx_st* state_;
    std::uint64_t place_ = 0;
};

/// Reads the whole file, from its beginning: offload it from a loop.
[[nodiscard]] result<http::sha256_value> digest_of(int file);
/// Of text: 32 hexadecimal digits of it, a name for what the text says. Throws std::bad_alloc.
[[nodiscard]] std::string short_hash_of(std::string_view text);
/// The digest of a file as 64 hexadecimal digits.
[[nodiscard]] result<std::string> sha256_of(int file);

/// Keeps `digest` beside the file (an extended attribute, `user.sluice.sha256`: xattr(7)), with the
/// size and the time of change that it is for. Where the file system has no such thing, nothing
/// happens.
void keep_digest(int file, const struct stat& now, const http::sha256_value& digest) noexcept;
/// The digest that was kept, if the file has not changed since.
[[nodiscard]] std::optional<http::sha256_value> kept_digest(int file,
                                                            const struct stat& now) noexcept;

/// The same as far as this thread remembers what it found for this state of the file, so that small
/// files that are asked for again and again cost no call for it.
[[nodiscard]] std::optional<http::sha256_value> remembered_digest(int file,
                                                                  const struct stat& now) noexcept;

}  // namespace sluice::files
