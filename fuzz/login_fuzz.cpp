// What clients say of themselves, and files of accounts, under any bytes: nothing is let in, and
// what is read goes together again.
#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/sample_accounts.hpp"
#include "sluice/auth/account.hpp"
#include "sluice/auth/authenticator.hpp"
#include "sluice/auth/authorization.hpp"
#include "sluice/auth/base64url.hpp"
#include "sluice/auth/credentials.hpp"
#include "sluice/auth/secret.hpp"
#include "sluice/auth/token.hpp"
#include "sluice/base/bytes.hpp"
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

/// As RFC 7617 writes them, and as a browser does.
void check_basic(std::string_view both) {
    std::string text = auth::to_base64url(as_bytes(both));
    std::ranges::replace(text, '-', '+');
    std::ranges::replace(text, '_', '/');
    while (text.size() % 4 != 0) text += '=';
    const auto said = auth::read_authorization("Basic " + text);
    if (!said) return;
    check(said->name + ":" + said->secret == both, "another name or password");
    const bool has_controls =
        std::ranges::any_of(both, [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; });
    check(!has_controls, "a password that a terminal obeys");
}

void check_token(std::string_view claims) {
    const std::string text = "sluice1." + auth::to_base64url(as_bytes(claims)) + "." +
                             auth::to_base64url(std::vector<std::byte>(32));
    const auto read = auth::parse_token(text);
    if (!read) return;
    constexpr std::array<std::byte, auth::secret_key::size> key{};
    check(text.starts_with(read->is_signed) && read->is_signed.size() + 44 == text.size(),
          "another part is signed");
    const auto made = auth::make_token(read->claims, auth::secret_key{key});
    if (!made) return;
    const auto again = auth::parse_token(*made);
    check(again && again->claims.name == read->claims.name &&
              again->claims.expires == read->claims.expires &&
              again->claims.rights == read->claims.rights && again->claims.id == read->claims.id,
          "a token that says something else when it is read again");
}

}  // namespace

void examine(std::string_view input) {
    check_line(input);
    check_line("login " + std::string{input});
    check_account(input);
    check_basic(input);
    check_token(input);
    if (const auto token = auth::parse_token(input)) {
        check(!token->claims.name.empty() && !token->claims.rights.empty(), "a token of none");
    }
    // A new one each time: what failed before must not slow this down.
    auth::authenticator who{sample_accounts("read", "* - - read:/public\n"), {}};
    files::visitors visitors{who};
    const auto from = net::address::loopback(1);
    for (const char* scheme : {"", "Basic ", "Bearer "}) {
        if (std::string_view{scheme}.empty() && input.empty()) continue;
        const auto found = visitors.identify_now(scheme + std::string{input}, from, nullptr);
        check(!found || !*found, "a client that proved nothing is let in");
    }
}

}  // namespace sluice::fuzz::login_target
