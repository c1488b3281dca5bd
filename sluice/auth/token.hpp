// Tokens: text that proves an account to the server for a time, signed with the account's token
// key.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/auth/account.hpp"
#include "sluice/auth/secret.hpp"

namespace sluice::auth {

/// Longer tokens are malformed. In bytes.
inline constexpr std::size_t longest_token = 4096;

/// What a token says.
struct token_claims {
    std::string name = {};                  ///< of the account
    std::chrono::sys_seconds expires = {};  ///< the first second at which it is of no more use
    /// What its holder may do, of what the account may: a caller lets through what both the token's
    /// rights and the account's allow. At least one.
    std::vector<std::string> rights = {};
    std::uint64_t id = 0;  ///< random; tells tokens of an account apart in a log
};

/// Why a token is refused. For the log: a client is told no more than that it is.
enum class token_error : std::uint8_t { malformed, unknown_name, bad_signature, expired };

/// "it has expired".
[[nodiscard]] std::string_view to_text(token_error e) noexcept;

/// A token: `sluice1.`, the claims as `NAME EXPIRES RIGHTS ID` in base64url, `.`, and the
/// HMAC-SHA256 of all before that dot in base64url. EXPIRES is in Unix seconds, ID 16 hexadecimal
/// digits. None if it would be longer than longest_token. Throws std::bad_alloc.
[[nodiscard]] std::optional<std::string> make_token(const token_claims& claims,
                                                    const secret_key& key);

/// A token that is taken apart; nothing of it is proved.
struct unproved_token {
    token_claims claims;
    std::string_view is_signed;  ///< the part of the text that the signature is of
    sha256_digest signature{};
};

/// Takes `text` apart, which outlives the result. None if it is malformed. Throws std::bad_alloc.
[[nodiscard]] std::optional<unproved_token> parse_token(std::string_view text);

}  // namespace sluice::auth
