// Implements the login by a line, which is received without a byte of what follows it.
#include "sluice/auth/line_login.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <optional>
#include <utility>

#include "sluice/auth/secret.hpp"
#include "sluice/base/bytes.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/net/lingering_close.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::auth {
namespace {

using namespace std::chrono_literals;

// For a client to read why it is turned away.
constexpr net::linger_limits answer_limits{.idle = 2s, .longest = 2s};
constexpr std::size_t piece = 512;

/// Receives a line, without its end and any carriage return before it, into `line`, which keeps its
/// memory. fault::message_too_long, fault::ended, or as a receive.
coro::task<result<void>> receive_line(net::connection& from, std::string& line) {
    line.clear();
    line.reserve(longest_login_line + 2);
    for (;;) {
        const auto ready = co_await from.readable();
        if (!ready) co_return failure(ready.error());
        std::array<std::byte, piece> come{};
        const auto room = std::min(piece, longest_login_line + 2 - line.size());
        auto n = from.peek(mutable_bytes{come}.first(room));
        // Over a layer, a record may not be whole yet.
        if (!n && n.error().is(EAGAIN)) continue;
        if (!n) co_return failure(n.error());
        if (*n == 0) co_return failure(fault::ended);
        const auto text = as_text(const_bytes{come}.first(*n));
        const auto end = text.find('\n');
        const auto taken = end == std::string_view::npos ? text.size() : end + 1;
        line.append(text.substr(0, taken));
        n = from.recv_now(mutable_bytes{come}.first(taken));
        OPENSSL_cleanse(come.data(), come.size());
        if (!n) co_return failure(n.error());
        if (line.ends_with('\n')) break;
        if (line.size() > longest_login_line) co_return failure(fault::message_too_long);
    }
    line.pop_back();
    if (line.ends_with('\r')) line.pop_back();
    co_return result<void>{};
}

/// What a client is told that is not let in.
struct refusal {
    std::string told;  ///< a sentence without its full stop
    turned_away logged;
};
using decision = std::expected<std::shared_ptr<const identity>, refusal>;

decision refuse(std::string told, std::string_view why, std::shared_ptr<const identity> who = {}) {
    return std::unexpected{refusal{std::move(told), {.why = why, .who = std::move(who)}}};
}

/// Why nothing came of asking a client.
std::string_view why_broken_off(error why) noexcept {
    if (why == fault::timed_out) return "idle";
    return why == fault::cancelled ? "stopped" : "lost";
}

coro::task<result<decision>> decide(net::connection& client, const net::address& from,
                                    const line_door& door) {
    auto sent = co_await client.send_all(question_line);
    if (!sent) co_return failure(sent.error());
    std::string line;
    const wipe_at_end wipe{line};
    const auto received = co_await receive_line(client, line);
    if (!received && received.error() != fault::message_too_long)
        co_return failure(received.error());
    auto said = received ? read_login(line) : std::nullopt;
    auto found = door.who->check_now(said, from);
    if (!found) {
        login checked = co_await door.who->check(client.engine(), std::move(*said), from);
        found = std::move(checked);
    }
    if (!*found && !said) {
        co_return refuse("a line was expected that says: login NAME PASSWORD, or: login TOKEN",
                         "no login");
    }
    if (!*found) co_return refuse(std::string{to_text(found->error())}, in_brief(found->error()));
    if (!door.admits(***found)) {
        auto told = fmt::format("{} may not {}", (**found)->name, door.purpose);
        co_return refuse(std::move(told), "no right", std::move(**found));
    }
    co_return decision{std::move(**found)};
}

using let_in = std::expected<void, login_failure>;

let_in refused(std::string why) {
    return std::unexpected{login_failure{std::move(why), error::system(EACCES)}};
}

let_in broken(error why) {
    return std::unexpected{login_failure{why == fault::ended
                                             ? std::string{"the server went away during the login"}
                                             : fmt::format("the login failed: {}", why.message()),
                                         why}};
}

// A result, for with_timeout().
coro::task<result<let_in>> converse(net::connection& server, const credentials& given) {
    std::string line;
    auto received = co_await receive_line(server, line);
    if (!received) co_return broken(received.error());
    if (line != question) {
        // A chat that lets anybody in.
        const bool asks_later = line.starts_with("* welcome, you are ");
        co_return refused(
            fmt::format("the server does not ask who we are, but says {}; leave the login out{}",
                        wire::in_quotes(line, 100),
                        asks_later ? ", and say /login NAME PASSWORD in the chat" : ""));
    }
    std::string said = login_line(given);
    const wipe_at_end wipe{said};
    auto sent = co_await server.send_all(said);
    if (!sent) co_return broken(sent.error());
    received = co_await receive_line(server, line);
    if (!received) co_return broken(received.error());
    if (line.starts_with(welcome)) co_return let_in{};
    std::string_view why = line;
    if (why.starts_with("* ")) why.remove_prefix(2);
    co_return refused(fmt::format("the server says {}", wire::in_quotes(why, 200)));
}

}  // namespace

coro::task<admission> ask_who(net::connection& client, const net::address& from,
                              const line_door& door, coro::context& drain) {
    auto known = door.who->proved(client.layer());
    if (known != nullptr && door.admits(*known)) co_return known;
    if (auto anyone = door.who->anonymous(); door.admits(*anyone)) co_return anyone;
    auto asking = io::with_timeout(client.engine(), decide(client, from, door), door.timeout);
    const auto decided = co_await asking;
    if (!decided) {
        co_await client.close();
        co_return std::unexpected{turned_away{.why = why_broken_off(decided.error())}};
    }
    const std::string answer = *decided ? fmt::format("{}{}\n", welcome, (**decided)->name)
                                        : fmt::format("* no: {}\n", decided->error().told);
    auto sent = co_await io::with_timeout(client.engine(), client.send_all(answer), door.timeout);
    if (sent && *decided) co_return **decided;
    co_await net::lingering_close(client, drain, answer_limits);
    if (!*decided) co_return std::unexpected{decided->error().logged};
    co_return std::unexpected{turned_away{.why = why_broken_off(sent.error()), .who = **decided}};
}

coro::task<std::expected<void, login_failure>> log_in(net::connection& server,
                                                      const credentials& given,
                                                      io::duration timeout) {
    auto done = co_await io::with_timeout(server.engine(), converse(server, given), timeout);
    if (done) co_return std::move(*done);
    if (done.error() != fault::timed_out) co_return broken(done.error());
    co_return refused("the server does not ask who we are; leave the login out");
}

}  // namespace sluice::auth
