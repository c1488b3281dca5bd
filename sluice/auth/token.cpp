// Implements the text of tokens.
#include "sluice/auth/token.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include "sluice/auth/base64url.hpp"
#include "sluice/base/bytes.hpp"
#include "sluice/base/parse_number.hpp"

namespace sluice::auth {
namespace {

constexpr std::string_view prefix = "sluice1.";
constexpr std::size_t digits_of_id = 16;

/// The text up to the next blank, which is taken off with it.
std::string_view take_word(std::string_view& text) noexcept {
    const auto word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    return word;
}

std::optional<std::uint64_t> parse_id(std::string_view text) noexcept {
    std::uint64_t id = 0;
    const char* const end = text.data() + text.size();
    const auto [at, code] = std::from_chars(text.data(), end, id, 16);
    if (text.size() != digits_of_id || code != std::errc{} || at != end) return std::nullopt;
    return id;
}

std::optional<token_claims> parse_claims(std::string_view text) {
    const auto name = take_word(text);
    const auto expires = parse_number<std::int64_t>(take_word(text));
    auto rights = parse_rights(take_word(text), [](std::string_view) { return std::string{}; });
    const auto id = parse_id(text);
    if (!is_account_name(name) || !expires || !rights || !id) return std::nullopt;
    return token_claims{.name = std::string{name},
                        .expires = std::chrono::sys_seconds{std::chrono::seconds{*expires}},
                        .rights = std::move(*rights),
                        .id = *id};
}

}  // namespace

std::string_view to_text(token_error e) noexcept {
    switch (e) {
        case token_error::malformed: return "it is malformed";
        case token_error::unknown_name: return "it names no account";
        case token_error::bad_signature: return "its signature is not the account's";
        case token_error::expired: return "it has expired";
    }
    return "";
}

std::optional<std::string> make_token(const token_claims& claims, const secret_key& key) {
    const std::string payload =
        fmt::format("{} {} {} {:016x}", claims.name, claims.expires.time_since_epoch().count(),
                    rights_text(claims.rights), claims.id);
    std::string text = std::string{prefix} + to_base64url(as_bytes(payload));
    const auto signature = hmac_sha256(key, as_bytes(text));
    text += '.';
    text += to_base64url(signature);
    if (text.size() > longest_token) return std::nullopt;
    return text;
}

std::optional<unproved_token> parse_token(std::string_view text) {
    const auto dot = text.rfind('.');
    if (text.size() > longest_token || !text.starts_with(prefix) || dot < prefix.size()) {
        return std::nullopt;
    }
    const auto payload = from_base64url(text.substr(prefix.size(), dot - prefix.size()));
    const auto signature = from_base64url(text.substr(dot + 1));
    unproved_token found;
    if (!payload || !signature || signature->size() != found.signature.size()) return std::nullopt;
    auto claims = parse_claims(as_text(*payload));
    if (!claims) return std::nullopt;
    found.claims = std::move(*claims);
    found.is_signed = text.substr(0, dot);
    std::ranges::copy(*signature, found.signature.begin());
    return found;
}

}  // namespace sluice::auth
