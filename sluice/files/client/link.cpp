// Implements the client connection: connects, sends requests, reads responses, retries.
#include "sluice/files/client/link.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "sluice/auth/line_login.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/net/dial.hpp"
#include "sluice/tls/handshake.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::files {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t read_size = std::size_t{16} << 10;
constexpr io::duration first_pause = 250ms;
constexpr io::duration longest_retry_pause = 5s;

}  // namespace

std::string link::server() const {
    return wire::printable(options_.authority);
}

coro::task<attempt<void>> link::open() {
    if (peer_) co_return attempt<void>{};
    auto dialed = co_await net::dial_any(engine_, options_.where, options_.timeout);
    if (dialed) {
        auto opened = co_await tls::open_connection(
            engine_, std::move(dialed.socket), options_.over, options_.protocol, options_.timeout);
        if (!opened) {
            auto refused = of_connection({}, opened.error().why);
            if (refused.error().kind != transfer_error_kind::cancelled) {
                refused.error().what = "cannot speak to " + server() + ": " + opened.error().what;
            }
            if (opened.error().is_untrusted) refused.error().may_pass = false;
            co_return refused;
        }
        if (options_.login) {
            auto known = co_await auth::log_in(**opened, *options_.login, options_.timeout);
            if (!known && known.error().why.is(EACCES)) {
                co_return failed(server() + " lets nobody in: " + known.error().what);
            }
            if (!known) co_return of_connection("logging in to " + server(), known.error().why);
        }
        peer_ = std::move(*opened);
        reached_ = true;
        fresh_ = true;
        co_return attempt<void>{};
    }
    auto failed = of_connection("cannot connect to " + server(), dialed.why());
    if (dialed.why().is(ECONNREFUSED)) {
        failed.error().what +=
            fmt::format("; start a server there with 'sluice {}', or correct the address",
                        options_.server_command);
    }
    co_return failed;
}

coro::task<attempt<void>> link::say(std::string_view text) {
    auto sent = co_await io::with_timeout(engine_, peer_->send_all(text), options_.timeout);
    if (!sent) co_return of_connection("sending to " + server(), sent.error());
    co_return attempt<void>{};
}

coro::task<attempt<http::http_response_reader>> link::answer(io::duration limit, bool or_continue,
                                                             bool* silent) {
    http::http_response_reader reader;
    auto read =
        co_await receive_head(reader, io::after(io::clock::now(), limit), or_continue, silent);
    if (!read) co_return std::unexpected{read.error()};
    co_return std::move(reader);
}

coro::task<attempt<void>> link::receive_head(http::http_response_reader& into, io::time_point until,
                                             bool or_continue, bool* silent) {
    std::array<std::byte, read_size> buffer{};
    bool any_bytes = false;
    for (;;) {
        if (into.has_head()) {
            if (is_final(into) || (into.head().status == 100 && or_continue)) {
                co_return attempt<void>{};
            }
            const auto rest = into.take_rest();
            into = http::http_response_reader{};
            if (auto fed = into.feed(rest); !fed) {
                co_return failed("the answer of " + server() + " makes no sense: " + fed.error());
            }
            continue;
        }
        auto got = co_await io::with_deadline(engine_, peer_->recv_into(buffer), until);
        if (silent != nullptr) *silent = !any_bytes && !got && got.error() == fault::timed_out;
        if (!got) {
            co_return of_connection("waiting for the answer of " + server(), got.error());
        }
        if (*got == 0) {
            co_return of_connection("waiting for the answer of " + server(), fault::ended);
        }
        any_bytes = true;
        fresh_ = true;
        if (auto fed = into.feed(as_text(const_bytes{buffer}.first(*got))); !fed) {
            co_return failed("the answer of " + server() + " makes no sense: " + fed.error());
        }
    }
}

coro::task<result<void>> link::send_and_hear(coro::task<result<void>> sending,
                                             http::http_response_reader& into) {
    if (engine_.blocks()) co_return co_await std::move(sending);
    coro::scope both{co_await coro::this_context()};
    result<void> sent = failure(fault::cancelled);
    // Both end before this frame, which the scope waits for.
    // NOLINTNEXTLINE(cppcoreguidelines-avoid-capturing-lambda-coroutines)
    const auto send = [&]() -> coro::task<void> {
        sent = co_await std::move(sending);
        both.cancel();
    };
    // NOLINTNEXTLINE(cppcoreguidelines-avoid-capturing-lambda-coroutines)
    const auto listen = [&]() -> coro::task<void> {
        // The sender reports why a connection broke.
        static_cast<void>(co_await receive_head(into, io::never));
        if (is_final(into) && into.head().status >= 300) both.cancel();
    };
    if (auto begun = both.spawn(send()); !begun) co_return begun;
    if (!both.inner().cancelled()) static_cast<void>(both.spawn(listen()));
    co_await both.join();
    co_return sent;
}

coro::task<attempt<std::string>> link::body_of(http::http_response_reader& answer,
                                               std::size_t most) {
    std::string body;
    std::array<std::byte, read_size> buffer{};
    const auto deadline = io::after(io::clock::now(), options_.timeout);
    std::string_view input;
    for (;;) {
        if (auto fed = answer.feed_body(input, body); !fed) {
            co_return failed("the answer of " + server() + " makes no sense: " + fed.error());
        }
        if (answer.done() || body.size() > most) break;
        auto got = co_await io::with_deadline(engine_, peer_->recv_into(buffer), deadline);
        if (!got) {
            co_return of_connection("reading the answer of " + server(), got.error());
        }
        if (*got == 0) {
            if (auto ended = answer.finish(); !ended) {
                co_return of_connection("reading the answer of " + server(), fault::ended);
            }
            break;
        }
        input = as_text(const_bytes{buffer}.first(*got));
    }
    settle(answer);
    co_return std::move(body);
}

void link::settle(const http::http_response_reader& answer) noexcept {
    if (answer.done() && answer.head().keep_alive) {
        fresh_ = false;
    } else {
        drop();
    }
}

bool is_final(const http::http_response_reader& answer) noexcept {
    return answer.has_head() && answer.head().status >= 200;
}

coro::task<std::string> why_refused(link& conn, http::http_response_reader& answer) {
    constexpr std::size_t most = 1024;
    std::string text = fmt::format("{} {}", answer.head().status,
                                   wire::printable(wire::truncate_utf8(answer.head().reason, 100)));
    auto body = co_await conn.body_of(answer, most);
    if (!body) {
        conn.drop();
        co_return text;
    }
    // An HTML page is of no use on a terminal.
    std::string_view line = *body;
    line = line.substr(0, line.find('\n'));
    while (line.ends_with('\r') || line.ends_with(' ')) line.remove_suffix(1);
    const auto type = answer.head().field("content-type").value_or("text/plain");
    if (line.empty() || !type.starts_with("text/plain")) co_return text;
    co_return text + ": " + wire::printable(wire::truncate_utf8(line, 300));
}

bool refuses_in_a_line(std::string_view first) noexcept {
    return first.starts_with(auth::question_line) || first.starts_with(tls::line_for_plain);
}

std::string shown_refusal(std::string_view first) {
    const bool asks = first.starts_with(auth::question_line);
    return fmt::format("{}; {}", wire::in_quotes(first.substr(0, first.find('\n'))),
                       asks ? "say --user NAME or --token-file FILE" : "as in tls://HOST:PORT");
}

bool may_pass(unsigned status) noexcept {
    constexpr std::array statuses{408U, 423U, 425U, 429U, 502U, 503U, 504U};
    return std::ranges::find(statuses, status) != statuses.end();
}

coro::task<bool> timeout::again(const transfer_error& why, std::uint64_t ahead) {
    const bool stale = !link_.fresh();
    link_.drop();
    if (!why.may_pass) co_return false;
    if (!link_.reached() && !link_.options().insist) co_return false;
    if (ahead > ahead_) {
        failed_ = 0;
        retried_stale_ = false;
        ahead_ = ahead;
    }
    if (stale && !retried_stale_ && why.kind == transfer_error_kind::unreachable) {
        retried_stale_ = true;
        co_return true;
    }
    if (failed_ >= link_.options().retries) co_return false;
    io::duration pause = first_pause;
    for (unsigned i = 0; i < failed_ && pause < longest_retry_pause; ++i) pause *= 2;
    pause = std::min(pause, longest_retry_pause);
    ++failed_;
    if (link_.options().on_retry) link_.options().on_retry(why, pause);
    auto slept = co_await io::sleep_for(link_.engine(), pause);
    co_return slept.has_value();
}

coro::task<attempt<void>> open_with_retries(link& conn, progress& state) {
    conn.drop();
    timeout retry{conn};
    for (;;) {
        state.enter(phase::connecting);
        auto open = co_await conn.open();
        if (open) co_return open;
        state.enter(phase::waiting);
        const bool more = co_await retry.again(open.error(), 0);
        if (!more) co_return open;
    }
}

}  // namespace sluice::files
