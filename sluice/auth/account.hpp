// An account, and its line in a file of accounts: NAME HASH TOKENKEY RIGHTS.
#pragma once

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/auth/password_hash.hpp"
#include "sluice/auth/secret.hpp"

namespace sluice::auth {

/// The name that stands for clients without a name.
inline constexpr std::string_view anonymous_name = "*";

/// Says why a word is no right: a sentence without its full stop, safe on a terminal; empty if it
/// is one. This room keeps rights as text and does not know what they mean.
using right_check = std::function<std::string(std::string_view)>;

/// One account.
struct account {
    std::string name = {};
    std::optional<password_hash> password = {};  ///< none: it has tokens alone
    std::optional<secret_key> token_key = {};    ///< signs its tokens; none for anonymous_name
    std::vector<std::string> rights = {};        ///< at least one
};

/// Whether `text` may be the name of an account: 1 to 64 of `A-Za-z0-9._-@`. False for
/// anonymous_name.
[[nodiscard]] bool is_account_name(std::string_view text) noexcept;

/// Whether `text` can stand in a list of rights: it is not empty, and has no blank, comma or
/// control character.
[[nodiscard]] bool is_right_text(std::string_view text) noexcept;

/// Reads words with commas between. The error is a sentence without its full stop.
[[nodiscard]] std::expected<std::vector<std::string>, std::string> parse_rights(
    std::string_view text, const right_check& check);
/// As parse_rights() reads them.
[[nodiscard]] std::string rights_text(const std::vector<std::string>& rights);

/// Reads the line of an account, without its newline: four words with blanks or tabs between. HASH
/// is as password_hash::parse() reads it, TOKENKEY `token:` and 32 bytes in base64url, RIGHTS words
/// with commas between. A HASH of `-` is no password; anonymous_name has `-` for both. The error is
/// a sentence without its full stop, and quotes neither secrets nor text that was not checked.
[[nodiscard]] std::expected<account, std::string> parse_account(std::string_view line,
                                                                const right_check& check);
/// As parse_account() reads it.
[[nodiscard]] std::string to_line(const account& a);

}  // namespace sluice::auth
