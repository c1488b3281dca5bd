// Implements password_cache: digests with their ends, under a lock.
#include "sluice/auth/password_cache.hpp"

#include <fmt/format.h>

#include <mutex>
#include <string>

#include "sluice/base/bytes.hpp"

namespace sluice::auth {

bool password_cache::knows(const account& a, std::string_view password, os::clock::time_point now) {
    if (!a.password || password.size() > longest_password) return false;
    const auto key = key_of(a, password);
    const std::lock_guard lock{mutex_};
    const auto* const until = until_.find(key);
    if (until == nullptr) return false;
    if (now < *until) return true;
    until_.erase(key);
    return false;
}

void password_cache::remember(const account& a, std::string_view password,
                              os::clock::time_point now) {
    if (!a.password) return;
    const auto key = key_of(a, password);
    const std::lock_guard lock{mutex_};
    // An entry's age and its place in the order are the same.
    until_.erase(key);
    until_.add(key, now + lifetime);
}

void password_cache::clear() noexcept {
    const std::lock_guard lock{mutex_};
    until_.clear();
}

sha256_digest password_cache::key_of(const account& a, std::string_view password) const {
    // Neither a name nor the text of a hash has a blank, so no two triples are one text.
    std::string all = fmt::format("{} {} {}", a.name, a.password->to_text(), password);
    const wipe_at_end wipe{all};
    return hmac_sha256(key_, as_bytes(all));
}

}  // namespace sluice::auth
