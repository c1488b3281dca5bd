// Secrets in memory: keys that are wiped, random bytes, and HMAC-SHA256.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>

#include "sluice/base/bytes.hpp"

namespace sluice::auth {

/// Fills `into` with unpredictable bytes (RAND_bytes(3)); ends the process if there are none. Any
/// thread.
void fill_with_random(mutable_bytes into) noexcept;

/// Whether the bytes are the same, in a time that depends on their number alone
/// (CRYPTO_memcmp(3)).
[[nodiscard]] bool equal_in_constant_time(const_bytes a, const_bytes b) noexcept;

/// A key of 32 bytes, wiped when it dies.
class secret_key {
 public:
    static constexpr std::size_t size = 32;

    /// Unpredictable; see fill_with_random().
    [[nodiscard]] static secret_key draw() noexcept;
    explicit secret_key(std::span<const std::byte, size> bytes) noexcept;
    secret_key(const secret_key&) noexcept = default;
    secret_key& operator=(const secret_key&) noexcept = default;
    ~secret_key();

    [[nodiscard]] const_bytes bytes() const noexcept { return bytes_; }

 private:
    std::array<std::byte, size> bytes_{};
};

using sha256_digest = std::array<std::byte, 32>;

/// HMAC-SHA256 of `data` (RFC 2104). Throws std::bad_alloc. Any thread.
[[nodiscard]] sha256_digest hmac_sha256(const secret_key& key, const_bytes data);

/// Wipes a text when it dies (OPENSSL_cleanse(3)). The text outlives it, and has not moved its
/// characters since they became secret.
class wipe_at_end {
 public:
    explicit wipe_at_end(std::string& text) noexcept : text_{text} {}
    wipe_at_end(const wipe_at_end&) = delete;
    wipe_at_end& operator=(const wipe_at_end&) = delete;
    ~wipe_at_end();

 private:
    std::string& text_;
};

}  // namespace sluice::auth
