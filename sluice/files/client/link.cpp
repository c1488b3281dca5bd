// Connects, sends, and reads answers.
#include "sluice/files/client/link.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "sluice/coro/context.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/net/dial.hpp"
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
    error last = fault::bad_address;
    for (const auto& address : options_.where) {
        auto socket = co_await io::with_timeout(home_, net::dial(home_, address), options_.timeout);
        if (socket) {
            peer_ = std::make_unique<net::connection>(home_, std::move(*socket));
            peer_->send_promptly();
            reached_ = true;
            fresh_ = true;
            co_return attempt<void>{};
        }
        last = socket.error();
        if (last == fault::cancelled) break;
    }
    auto trouble = of_connection("cannot connect to " + server(), last);
    if (last.is(ECONNREFUSED)) {
        trouble.error().what +=
            "; start a server there with 'sluice files serve', or correct the address";
    }
    co_return trouble;
}

coro::task<attempt<void>> link::say(std::string_view what) {
    auto sent = co_await io::with_timeout(home_, peer_->send_all(what), options_.timeout);
    if (!sent) co_return of_connection("sending to " + server(), sent.error());
    co_return attempt<void>{};
}

coro::task<attempt<http::http_response_reader>> link::answer(io::duration limit, bool or_continue,
                                                             bool* silent) {
    http::http_response_reader reader;
    auto heard = co_await hear(reader, io::after(io::clock::now(), limit), or_continue, silent);
    if (!heard) co_return std::unexpected{heard.error()};
    co_return std::move(reader);
}

coro::task<attempt<void>> link::hear(http::http_response_reader& into, io::time_point until,
                                     bool or_continue, bool* silent) {
    std::array<std::byte, read_size> room{};
    bool heard = false;
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
        auto got = co_await io::with_deadline(home_, peer_->recv_into(room), until);
        if (silent != nullptr) *silent = !heard && !got && got.error() == fault::timed_out;
        if (!got) {
            co_return of_connection("waiting for the answer of " + server(), got.error());
        }
        if (*got == 0) {
            co_return of_connection("waiting for the answer of " + server(), fault::ended);
        }
        heard = true;
        fresh_ = true;
        if (auto fed = into.feed(as_text(const_bytes{room}.first(*got))); !fed) {
            co_return failed("the answer of " + server() + " makes no sense: " + fed.error());
        }
    }
}

coro::task<result<void>> link::send_and_hear(coro::task<result<void>> sending,
                                             http::http_response_reader& into) {
    if (home_.blocks()) co_return co_await std::move(sending);
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
        // Why a connection broke is for whoever sends to find out.
        static_cast<void>(co_await hear(into, io::never));
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
    std::array<std::byte, read_size> room{};
    const auto deadline = io::after(io::clock::now(), options_.timeout);
    std::string_view came;
    for (;;) {
        if (auto fed = answer.feed_body(came, body); !fed) {
            co_return failed("the answer of " + server() + " makes no sense: " + fed.error());
        }
        if (answer.done() || body.size() > most) break;
        auto got = co_await io::with_deadline(home_, peer_->recv_into(room), deadline);
        if (!got) {
            co_return of_connection("reading the answer of " + server(), got.error());
        }
        if (*got == 0) {
            if (auto ended = answer.finish(); !ended) {
                co_return of_connection("reading the answer of " + server(), fault::ended);
            }
            break;
        }
        came = as_text(const_bytes{room}.first(*got));
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

coro::task<std::string> why_refused(link& way, http::http_response_reader& answer) {
    constexpr std::size_t most = 1024;
    std::string text = fmt::format("{} {}", answer.head().status,
                                   wire::printable(wire::truncate_utf8(answer.head().reason, 100)));
    auto body = co_await way.body_of(answer, most);
    if (!body) {
        way.drop();
        co_return text;
    }
    // A page of HTML says nothing to whoever reads a terminal.
    std::string_view said = *body;
    said = said.substr(0, said.find('\n'));
    while (said.ends_with('\r') || said.ends_with(' ')) said.remove_suffix(1);
    const auto type = answer.head().field("content-type").value_or("text/plain");
    if (said.empty() || !type.starts_with("text/plain")) co_return text;
    co_return text + ": " + wire::printable(wire::truncate_utf8(said, 300));
}

bool may_pass(unsigned status) noexcept {
    constexpr std::array statuses{408U, 423U, 425U, 429U, 502U, 503U, 504U};
    return std::ranges::find(statuses, status) != statuses.end();
}

coro::task<bool> patience::again(const trouble& why, std::uint64_t ahead) {
    const bool stale = !way_.fresh();
    way_.drop();
    if (!why.may_pass) co_return false;
    if (!way_.reached() && !way_.options().insist) co_return false;
    if (ahead > ahead_) {
        failed_ = 0;
        spared_ = false;
        ahead_ = ahead;
    }
    if (stale && !spared_ && why.kind == trouble_kind::unreachable) {
        spared_ = true;
        co_return true;
    }
    if (failed_ >= way_.options().retries) co_return false;
    io::duration pause = first_pause;
    for (unsigned i = 0; i < failed_ && pause < longest_retry_pause; ++i) pause *= 2;
    pause = std::min(pause, longest_retry_pause);
    ++failed_;
    if (way_.options().on_retry) way_.options().on_retry(why, pause);
    auto slept = co_await io::sleep_for(way_.home(), pause);
    co_return slept.has_value();
}

}  // namespace sluice::files
