// Hashes of passwords by scrypt (RFC 7914), and their text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/auth/secret.hpp"
#include "sluice/base/bytes.hpp"

namespace sluice::auth {

/// Longer passwords are never right: a client must not decide how much is hashed. In bytes.
inline constexpr std::size_t longest_password = 1024;

/// What one hash costs: 128·N·r bytes of memory, and time in proportion to N·r·p (RFC 7914,
/// section 2). The default needs 32 MiB and some 50 ms.
struct scrypt_cost {
    unsigned log2_n = 15;  ///< N = 2^log2_n
    unsigned r = 8;        ///< the block size
    unsigned p = 1;        ///< the parallelization parameter

    /// N·r·p.
    [[nodiscard]] std::uint64_t work() const noexcept {
        return (std::uint64_t{1} << log2_n) * r * p;
    }
};

/// Why no hash may cost that: it needs over 64 MiB, or a parameter is beyond what RFC 7914 or good
/// sense allows. A sentence without its full stop; empty if it is fine.
[[nodiscard]] std::string why_no_cost(scrypt_cost cost);

/// Fills `key` with the scrypt of `password` and `salt`. `cost` is fine. Slow. Throws
/// std::bad_alloc. Any thread.
void scrypt(std::string_view password, const_bytes salt, scrypt_cost cost, mutable_bytes key);

/// The hash of one password, with its salt and cost. Immutable, so any thread may ask.
class password_hash {
 public:
    /// Of a new password, with a random salt. `cost` is fine. Slow. Throws std::bad_alloc.
    [[nodiscard]] static password_hash make(std::string_view password, scrypt_cost cost = {});
    /// Of no password: nothing matches it, at the same cost.
    [[nodiscard]] static password_hash of_none(scrypt_cost cost);
    /// Reads `scrypt:LN:R:P:SALT:KEY`, where N is 2^LN, and SALT (8 to 64 bytes) and KEY (32 bytes)
    /// are in base64url. The error is a sentence without its full stop, and quotes nothing.
    [[nodiscard]] static std::expected<password_hash, std::string> parse(std::string_view text);
    /// As parse() reads it.
    [[nodiscard]] std::string to_text() const;

    /// Slow: the cost. Its time does not depend on where two keys differ. Throws std::bad_alloc.
    [[nodiscard]] bool matches(std::string_view password) const;

    [[nodiscard]] scrypt_cost cost() const noexcept { return cost_; }

 private:
    password_hash(scrypt_cost cost, std::vector<std::byte> salt, const secret_key& key) noexcept
        : cost_{cost}, salt_{std::move(salt)}, key_{key} {}

    scrypt_cost cost_;
    std::vector<std::byte> salt_;
    secret_key key_;
};

}  // namespace sluice::auth
