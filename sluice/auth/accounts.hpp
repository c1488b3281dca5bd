// The accounts of a server: who may come in with which password or token, and with what rights.
//
// A file has a line for each account (account.hpp); lines that are empty or begin with `#` are left
// out. A server loads it at its start and anew at a reload, and asks of the result:
//
//  * find() and anonymous(): what an account, or a client without a name, may do;
//  * verify(): a password, off the loop, after password_cache and failure_limit were asked;
//  * verify_token(): a token, on the loop.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/auth/account.hpp"
#include "sluice/auth/password_hash.hpp"
#include "sluice/auth/secret.hpp"
#include "sluice/auth/token.hpp"

namespace sluice::auth {

/// Immutable once it is made, so any thread may ask.
class accounts {
 public:
    /// Reads a file, which only its owner may read. `check` is asked about each right. The error is
    /// a sentence without its full stop that names the file, and the line as in `FILE:7: ...`. May
    /// block. Throws std::bad_alloc.
    [[nodiscard]] static std::expected<accounts, std::string> load(const std::string& file,
                                                                   const right_check& check);
    /// Reads the text of such a file; `file` is its name in errors. Does not block.
    [[nodiscard]] static std::expected<accounts, std::string> parse(std::string_view text,
                                                                    std::string_view file,
                                                                    const right_check& check);

    /// The account of that name, or null; lives as long as this. Null for anonymous_name.
    [[nodiscard]] const account* find(std::string_view name) const noexcept;
    /// What clients without a name may do; null: nothing.
    [[nodiscard]] const account* anonymous() const noexcept;
    /// The names of all accounts that have one. Throws std::bad_alloc.
    [[nodiscard]] std::vector<std::string> names() const;
    /// How many accounts have names.
    [[nodiscard]] std::size_t size() const noexcept { return named_.size(); }

    /// Whether the account `name` exists, has a password, and it is this. Slow (some 50 ms and
    /// 32 MiB): for a thread that may block. An unknown name costs as much as the most expensive
    /// account does, so that time does not tell which names exist, as long as all have the cost
    /// that `sluice passwd` gives them. Throws std::bad_alloc.
    [[nodiscard]] bool verify(std::string_view name, std::string_view password) const;

    /// What a token says, if it is signed with the token key that its account has now, and `now` is
    /// before its end. An account that was removed, or got a new token key, has no valid tokens
    /// left. No I/O; some microseconds, and whether the name exists makes no difference. Throws
    /// std::bad_alloc.
    [[nodiscard]] std::expected<token_claims, token_error> verify_token(
        std::string_view text, std::chrono::sys_seconds now) const;

 private:
    accounts() = default;
    [[nodiscard]] std::expected<void, std::string> add(std::string_view line,
                                                       const right_check& check);

    std::map<std::string, account, std::less<>> named_;
    std::optional<account> anonymous_;
    password_hash no_password_ = password_hash::of_none({});  // for names that are unknown
    secret_key no_token_key_ = secret_key::draw();            // likewise
};

}  // namespace sluice::auth
