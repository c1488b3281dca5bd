// Implements password hashes over EVP_PBE_scrypt(3).
#include "sluice/auth/password_hash.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <new>
#include <optional>
#include <span>
#include <utility>

#include "sluice/auth/base64url.hpp"
#include "sluice/base/parse_number.hpp"

namespace sluice::auth {
namespace {

using problem = std::unexpected<std::string>;

constexpr std::string_view kind = "scrypt";
constexpr std::string_view form = "scrypt:LN:R:P:SALT:KEY is expected";
constexpr std::uint64_t most_memory = std::uint64_t{64} << 20U;  // bytes
constexpr unsigned most_log2_n = 20;
constexpr unsigned most_r = 32;
constexpr unsigned most_p = 16;
constexpr std::size_t new_salt = 16;
constexpr std::size_t least_salt = 8;
constexpr std::size_t most_salt = 64;

/// The six parts of a hash; fewer or more are none.
std::optional<std::array<std::string_view, 6>> split(std::string_view text) noexcept {
    std::array<std::string_view, 6> parts;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto colon = text.find(':');
        const bool is_last = i + 1 == parts.size();
        if (is_last != (colon == std::string_view::npos)) return std::nullopt;
        parts[i] = text.substr(0, colon);
        if (!is_last) text.remove_prefix(colon + 1);
    }
    return parts;
}

}  // namespace

std::string why_no_cost(scrypt_cost cost) {
    if (cost.log2_n < 1 || cost.log2_n > most_log2_n) {
        return fmt::format("LN of scrypt is {}; 1 to {} is expected", cost.log2_n, most_log2_n);
    }
    if (cost.r < 1 || cost.r > most_r) {
        return fmt::format("R of scrypt is {}; 1 to {} is expected", cost.r, most_r);
    }
    if (cost.p < 1 || cost.p > most_p) {
        return fmt::format("P of scrypt is {}; 1 to {} is expected", cost.p, most_p);
    }
    // N must be less than 2^(128·r/8) (RFC 7914, section 2).
    if (cost.log2_n >= 16 * cost.r) {
        return fmt::format("LN of scrypt is {}; with R {} less than {} is expected", cost.log2_n,
                           cost.r, 16 * cost.r);
    }
    const std::uint64_t memory = (std::uint64_t{128} * cost.r) << cost.log2_n;
    if (memory > most_memory) {
        return fmt::format("scrypt would need {} MiB; at most {} are allowed", memory >> 20U,
                           most_memory >> 20U);
    }
    return {};
}

void scrypt(std::string_view password, const_bytes salt, scrypt_cost cost, mutable_bytes key) {
    // libcrypto counts some buffers besides the large one.
    constexpr std::uint64_t most_with_buffers = 2 * most_memory;
    if (EVP_PBE_scrypt(password.data(), password.size(),
                       reinterpret_cast<const unsigned char*>(salt.data()), salt.size(),
                       std::uint64_t{1} << cost.log2_n, cost.r, cost.p, most_with_buffers,
                       reinterpret_cast<unsigned char*>(key.data()), key.size()) != 1) {
        ERR_clear_error();
        throw std::bad_alloc{};
    }
}

password_hash password_hash::make(std::string_view password, scrypt_cost cost) {
    std::vector<std::byte> salt(new_salt);
    fill_with_random(salt);
    std::array<std::byte, secret_key::size> key{};
    scrypt(password, salt, cost, key);
    password_hash made{cost, std::move(salt), secret_key{key}};
    OPENSSL_cleanse(key.data(), key.size());
    return made;
}

password_hash password_hash::of_none(scrypt_cost cost) {
    std::vector<std::byte> salt(new_salt);
    fill_with_random(salt);
    return {cost, std::move(salt), secret_key::draw()};
}

std::expected<password_hash, std::string> password_hash::parse(std::string_view text) {
    const auto parts = split(text);
    if (!parts || (*parts)[0] != kind) return problem{fmt::format("it is no hash; {}", form)};
    const auto log2_n = parse_number<unsigned>((*parts)[1]);
    const auto r = parse_number<unsigned>((*parts)[2]);
    const auto p = parse_number<unsigned>((*parts)[3]);
    if (!log2_n || !r || !p) {
        return problem{fmt::format("LN, R or P of scrypt is no number; {}", form)};
    }
    const scrypt_cost cost{.log2_n = *log2_n, .r = *r, .p = *p};
    if (std::string why = why_no_cost(cost); !why.empty()) return problem{std::move(why)};
    auto salt = from_base64url((*parts)[4]);
    if (!salt || salt->size() < least_salt || salt->size() > most_salt) {
        return problem{fmt::format("SALT of scrypt is not {} to {} bytes in base64url; {}",
                                   least_salt, most_salt, form)};
    }
    auto key = from_base64url((*parts)[5]);
    if (!key || key->size() != secret_key::size) {
        return problem{
            fmt::format("KEY of scrypt is not {} bytes in base64url; {}", secret_key::size, form)};
    }
    password_hash read{cost, std::move(*salt),
                       secret_key{std::span{*key}.first<secret_key::size>()}};
    OPENSSL_cleanse(key->data(), key->size());
    return read;
}

std::string password_hash::to_text() const {
    return fmt::format("{}:{}:{}:{}:{}:{}", kind, cost_.log2_n, cost_.r, cost_.p,
                       to_base64url(salt_), to_base64url(key_.bytes()));
}

bool password_hash::matches(std::string_view password) const {
    if (password.size() > longest_password) return false;
    std::array<std::byte, secret_key::size> key{};
    scrypt(password, salt_, cost_, key);
    const bool same = equal_in_constant_time(key, key_.bytes());
    OPENSSL_cleanse(key.data(), key.size());
    return same;
}

}  // namespace sluice::auth
