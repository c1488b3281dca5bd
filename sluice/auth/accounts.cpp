// Implements accounts: loading, passwords and tokens.
#include "sluice/auth/accounts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sluice/auth/account_file.hpp"
#include "sluice/base/bytes.hpp"

namespace sluice::auth {
namespace {

using problem = std::unexpected<std::string>;

}  // namespace

std::expected<accounts, std::string> accounts::load(const std::string& file,
                                                    const right_check& check) {
    auto text = read_account_file(file);
    if (!text) return problem{std::move(text.error())};
    const wipe_at_end wipe{*text};
    return parse(*text, file, check);
}

std::expected<accounts, std::string> accounts::parse(std::string_view text, std::string_view file,
                                                     const right_check& check) {
    accounts all;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        const auto begin = line.find_first_not_of(" \t");
        if (begin == std::string_view::npos || line[begin] == '#') continue;
        if (auto added = all.add(line, check); !added) {
            return problem{fmt::format("{}:{}: {}", file, number, added.error())};
        }
    }
    scrypt_cost highest{.log2_n = 0, .r = 0, .p = 0};
    for (const auto& [name, each] : all.named_) {
        if (!each.password) continue;
        highest = std::max(highest, each.password->cost(),
                           [](scrypt_cost a, scrypt_cost b) { return a.work() < b.work(); });
    }
    if (highest.work() > 0) all.no_password_ = password_hash::of_none(highest);
    return all;
}

std::expected<void, std::string> accounts::add(std::string_view line, const right_check& check) {
    auto read = parse_account(line, check);
    if (!read) return problem{std::move(read.error())};
    const bool is_anonymous = read->name == anonymous_name;
    if (is_anonymous ? anonymous_.has_value() : find(read->name) != nullptr) {
        return problem{
            fmt::format("{} has a line already; one for each account is expected", read->name)};
    }
    if (is_anonymous) {
        anonymous_ = std::move(*read);
    } else {
        std::string name = read->name;
        named_.emplace(std::move(name), std::move(*read));
    }
    return {};
}

const account* accounts::find(std::string_view name) const noexcept {
    const auto found = named_.find(name);
    return found == named_.end() ? nullptr : &found->second;
}

std::vector<std::string> accounts::names() const {
    std::vector<std::string> all;
    all.reserve(named_.size());
    for (const auto& [name, account] : named_) all.push_back(name);
    return all;
}

const account* accounts::anonymous() const noexcept {
    return anonymous_ ? &*anonymous_ : nullptr;
}

bool accounts::verify(std::string_view name, std::string_view password) const {
    const account* const found = find(name);
    const bool has_password = found != nullptr && found->password;
    const bool is_right = (has_password ? *found->password : no_password_).matches(password);
    return has_password && is_right;
}

std::expected<token_claims, token_error> accounts::verify_token(
    std::string_view text, std::chrono::sys_seconds now) const {
    auto token = parse_token(text);
    if (!token) return std::unexpected{token_error::malformed};
    const account* const found = find(token->claims.name);
    const secret_key& key = found != nullptr ? *found->token_key : no_token_key_;
    const auto signature = hmac_sha256(key, as_bytes(token->is_signed));
    const bool is_signed = equal_in_constant_time(signature, token->signature);
    if (found == nullptr) return std::unexpected{token_error::unknown_name};
    if (!is_signed) return std::unexpected{token_error::bad_signature};
    if (now >= token->claims.expires) return std::unexpected{token_error::expired};
    return std::move(token->claims);
}

}  // namespace sluice::auth
