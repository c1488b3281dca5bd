// Implements read_authorization() for the schemes Basic and Bearer.
#include "sluice/auth/authorization.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <string>

#include "sluice/auth/base64url.hpp"
#include "sluice/base/bytes.hpp"
#include "sluice/http/text.hpp"

namespace sluice::auth {
namespace {

/// The value of scheme `wanted` (RFC 9110, section 11.4); none of another.
std::optional<std::string_view> value_of(std::string_view field, std::string_view wanted) {
    const auto blank = std::min(field.find(' '), field.size());
    if (!http::same_word(field.substr(0, blank), wanted)) return std::nullopt;
    return http::trim_blanks(field.substr(blank));
}

/// RFC 7617, section 2.
std::optional<credentials> read_basic(std::string_view text) {
    std::string url_safe{text};
    std::ranges::replace(url_safe, '+', '-');
    std::ranges::replace(url_safe, '/', '_');
    while (url_safe.ends_with('=')) url_safe.pop_back();
    auto bytes = from_base64url(url_safe);
    OPENSSL_cleanse(url_safe.data(), url_safe.size());
    if (!bytes) return std::nullopt;
    const std::string_view both = as_text(const_bytes{*bytes});
    const auto colon = both.find(':');
    std::optional<credentials> found;
    // A NUL at its end would make another password of the same hash.
    const bool has_controls = std::ranges::any_of(
        both, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; });
    if (colon != std::string_view::npos && colon > 0 && !has_controls) {
        found.emplace(std::string{both.substr(0, colon)}, std::string{both.substr(colon + 1)});
    }
    OPENSSL_cleanse(bytes->data(), bytes->size());
    return found;
}

}  // namespace

std::optional<credentials> read_authorization(std::string_view field) {
    if (const auto token = value_of(field, "Bearer")) {
        return credentials{{}, std::string{*token}};
    }
    const auto text = value_of(field, "Basic");
    return text ? read_basic(*text) : std::nullopt;
}

}  // namespace sluice::auth
