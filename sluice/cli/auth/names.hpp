// Reads names of accounts on the command line.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "sluice/auth/account.hpp"
#include "sluice/cli/options.hpp"

namespace sluice::cli {

/// The name of an account.
[[nodiscard]] inline reading<std::string> read_account_name(std::string_view text) {
    if (auth::is_account_name(text)) return std::string{text};
    return std::unexpected{in_quotes(text) +
                           " is no name of an account; write 1 to 64 letters, digits and ._-@"};
}

/// For add_list().
[[nodiscard]] inline std::string why_no_account(std::string_view text) {
    auto read = read_account_name(text);
    return read ? std::string{} : std::move(read.error());
}

/// The same, or the name that stands for clients without one.
[[nodiscard]] inline reading<std::string> read_account_or_anonymous(std::string_view text) {
    return text == auth::anonymous_name ? std::string{text} : read_account_name(text);
}

}  // namespace sluice::cli
