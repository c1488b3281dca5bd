// Remembers for a while which passwords were right, so that each request need not cost a scrypt.
#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

#include "sluice/auth/account.hpp"
#include "sluice/auth/bounded_map.hpp"
#include "sluice/auth/secret.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/mutex.hpp"

namespace sluice::auth {

/// A browser sends its name and password with every request (RFC 7617, section 2.2). What was right
/// is kept as an HMAC-SHA256 under a random key of this object, over the name, the hash of its
/// account, and the password: memory holds no password, and one that was changed is forgotten with
/// its hash, even where a thread remembers it after a reload. Any thread.
class password_cache {
 public:
    static constexpr std::chrono::minutes lifetime{5};
    static constexpr std::size_t most = 4096;

    /// Whether remember() was called for these within the lifetime. False where the account has no
    /// password. Throws std::bad_alloc.
    [[nodiscard]] bool knows(const account& a, std::string_view password,
                             os::clock::time_point now);
    /// Remembers what accounts::verify() found right; the oldest goes if there are too many. Throws
    /// std::bad_alloc.
    void remember(const account& a, std::string_view password, os::clock::time_point now);
    /// Forgets all: for a reload of the accounts.
    void clear() noexcept;

 private:
    [[nodiscard]] sha256_digest key_of(const account& a, std::string_view password) const;

    const secret_key key_ = secret_key::draw();
    os::mutex mutex_;
    bounded_map<sha256_digest, os::clock::time_point> until_{most};  // guarded by mutex_
};

}  // namespace sluice::auth
