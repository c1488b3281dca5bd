// Accounts for the fuzz targets of servers that ask who a client is.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "sluice/auth/accounts.hpp"
#include "sluice/base/check.hpp"

namespace sluice::fuzz {

/// `ann` with these rights, whose password and whose tokens no input can hold; then the lines of
/// `others`. Rights may be any words.
[[nodiscard]] inline auth::accounts sample_accounts(std::string_view rights,
                                                    std::string_view others = {}) {
    const std::string key(42, 'x');
    std::string text = "ann scrypt:4:1:1:AAAAAAAAAAA:" + key + "A token:" + key + "A ";
    text.append(rights).append("\n").append(others);
    auto all = auth::accounts::parse(text, "accounts",
                                     [](std::string_view /*right*/) { return std::string{}; });
    check(all.has_value(), "accounts that cannot be read");
    return std::move(*all);
}

}  // namespace sluice::fuzz
