// Implements the line of an account.
#include "sluice/auth/account.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <utility>

#include "sluice/auth/base64url.hpp"

namespace sluice::auth {
namespace {

using problem = std::unexpected<std::string>;

constexpr std::size_t longest_name = 64;
constexpr std::string_view blanks = " \t";
constexpr std::string_view none = "-";
constexpr std::string_view token_prefix = "token:";

bool is_of_name(char c) noexcept {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           std::string_view{"._-@"}.contains(c);
}

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    for (;;) {
        const auto begin = line.find_first_not_of(blanks);
        if (begin == std::string_view::npos) return words;
        line.remove_prefix(begin);
        words.push_back(line.substr(0, line.find_first_of(blanks)));
        line.remove_prefix(words.back().size());
    }
}

std::optional<secret_key> parse_token_key(std::string_view text) {
    if (!text.starts_with(token_prefix)) return std::nullopt;
    auto bytes = from_base64url(text.substr(token_prefix.size()));
    if (!bytes || bytes->size() != secret_key::size) return std::nullopt;
    std::optional<secret_key> key{std::span{*bytes}.first<secret_key::size>()};
    OPENSSL_cleanse(bytes->data(), bytes->size());
    return key;
}

}  // namespace

bool is_account_name(std::string_view text) noexcept {
    return !text.empty() && text.size() <= longest_name && std::ranges::all_of(text, is_of_name);
}

bool is_right_text(std::string_view text) noexcept {
    return !text.empty() && std::ranges::none_of(text, [](char c) {
        const auto code = static_cast<unsigned char>(c);
        return code <= 0x20U || code == 0x7fU || c == ',';
    });
}

std::expected<std::vector<std::string>, std::string> parse_rights(std::string_view text,
                                                                  const right_check& check) {
    std::vector<std::string> rights;
    for (;;) {
        const auto comma = text.find(',');
        const auto word = text.substr(0, comma);
        if (!is_right_text(word)) {
            return problem{
                "a right is empty, or holds a control character; words with commas between are "
                "expected, as in read,upload:/inbox"};
        }
        if (std::string why = check(word); !why.empty()) return problem{std::move(why)};
        rights.emplace_back(word);
        if (comma == std::string_view::npos) return rights;
        text.remove_prefix(comma + 1);
    }
}

std::string rights_text(const std::vector<std::string>& rights) {
    return fmt::format("{}", fmt::join(rights, ","));
}

std::expected<account, std::string> parse_account(std::string_view line, const right_check& check) {
    const auto words = words_of(line);
    if (words.size() != 4) {
        return problem{fmt::format(
            "the line has {} words; four are expected: NAME HASH TOKENKEY RIGHTS", words.size())};
    }
    account read;
    const bool is_anonymous = words[0] == anonymous_name;
    if (!is_anonymous && !is_account_name(words[0])) {
        return problem{fmt::format(
            "the name is not 1 to {} letters, digits and ._-@; or write * for clients without a "
            "name",
            longest_name)};
    }
    read.name = words[0];
    if (is_anonymous && (words[1] != none || words[2] != none)) {
        return problem{
            "clients without a name have neither password nor tokens; * - - RIGHTS is expected"};
    }
    if (words[1] != none) {
        auto hash = password_hash::parse(words[1]);
        if (!hash) {
            return problem{
                fmt::format("the password of {}: {}; or - for none", read.name, hash.error())};
        }
        read.password = std::move(*hash);
    }
    if (!is_anonymous) {
        read.token_key = parse_token_key(words[2]);
        if (!read.token_key) {
            return problem{
                fmt::format("the token key of {} is not {}KEY, with {} bytes in "
                            "base64url",
                            read.name, token_prefix, secret_key::size)};
        }
    }
    auto rights = parse_rights(words[3], check);
    if (!rights) return problem{fmt::format("the rights of {}: {}", read.name, rights.error())};
    read.rights = std::move(*rights);
    return read;
}

std::string to_line(const account& a) {
    return fmt::format(
        "{} {} {} {}", a.name, a.password ? a.password->to_text() : std::string{none},
        a.token_key ? fmt::format("{}{}", token_prefix, to_base64url(a.token_key->bytes()))
                    : std::string{none},
        rights_text(a.rights));
}

}  // namespace sluice::auth
