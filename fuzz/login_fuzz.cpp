// What clients say of themselves, and files of accounts, under any bytes: nothing is let in, and
// what is read goes together again.
#include <string>
#include <string_view>
#include <utility>

#include "sluice/auth/account.hpp"
#include "sluice/auth/accounts.hpp"
#include "sluice/auth/authenticator.hpp"
#include "sluice/auth/credentials.hpp"
#include "sluice/auth/token.hpp"
#include "sluice/base/check.hpp"
#include "sluice/files/server/visitors.hpp"
#include "sluice/net/address.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::fuzz::login_target {
namespace {

using sluice::check;

std::string any_right(std::string_view /*text*/) {
    return {};
}

/// Has an account with a password and a token key that no input holds.
auth::accounts sample() {
    const std::string key(42, 'x');
    auto all = auth::accounts::parse(
        "ann scrypt:4:1:1:AAAAAAAAAAA:" + key + "A token:" + key + "A read\n* - - read:/public\n",
        "accounts", any_right);
    check(all.has_value(), "accounts that cannot be read");
    return std::move(*all);
}

void check_line(std::string_view line) {
    const auto said = auth::read_login(line);
    if (!said) return;
    check(!said->secret.empty(), "a secret of no bytes");
    const std::string again = auth::login_line(*said);
    check(again.ends_with('\n') && again.find('\n') + 1 == again.size(), "more than a line");
    const auto read = auth::read_login(std::string_view{again}.substr(0, again.size() - 1));
    check(read && read->name == said->name && read->secret == said->secret,
          "it changes when it is read again");
}

void check_account(std::string_view line) {
    const auto found = auth::parse_account(line, any_right);
    if (!found) {
        check(wire::is_printable(found.error()), "a complaint that a terminal obeys");
        return;
    }
    const std::string once = auth::to_line(*found);
    const auto again = auth::parse_account(once, any_right);
    check(again && auth::to_line(*again) == once, "it changes when it is read again");
}

}  // namespace

void examine(std::string_view input) {
    check_line(input);
    check_line("login " + std::string{input});
    check_account(input);
    if (const auto token = auth::parse_token(input)) {
        check(!token->claims.name.empty() && !token->claims.rights.empty(), "a token of none");
    }
    // A new one each time: what failed before must not slow this down.
    auth::authenticator who{sample(), {}};
    files::visitors visitors{who};
    const auto from = net::address::loopback(1);
    for (const char* scheme : {"", "Basic ", "Bearer "}) {
        if (std::string_view{scheme}.empty() && input.empty()) continue;
        const auto found = visitors.identify_now(scheme + std::string{input}, from, nullptr);
        check(!found || !*found, "a client that proved nothing is let in");
    }
}

}  // namespace sluice::fuzz::login_target
