// Implements the door: reads heads within limits, and answers each at once.
#include "sluice/metrics/door.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <array>
#include <cerrno>
#include <new>
#include <optional>
#include <span>
#include <utility>

#include "sluice/auth/authorization.hpp"
#include "sluice/base/bytes.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/http/date.hpp"
#include "sluice/http/status_line.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/model/secure.hpp"
#include "sluice/net/linger_reset.hpp"
#include "sluice/net/lingering_close.hpp"
#include "sluice/net/listener.hpp"
#include "sluice/os/clock.hpp"

namespace sluice::metrics {
namespace {

using namespace std::chrono_literals;
using http::http_field;
using http::http_method;

constexpr auto memory_pause = 50ms;
// For the end of a client's stream, after the last answer.
constexpr net::linger_limits closing{.idle = 1s, .longest = 2s};
constexpr http::http_head_scanner::limits head_limits{.line = 2 * 1024, .head = 8 * 1024};
constexpr std::string_view plain_text = "text/plain; charset=utf-8";

std::string to_text(readiness now) {
    switch (now) {
        case readiness::starting: return "starting";
        case readiness::ready: return "ready";
        case readiness::draining: break;
    }
    return "draining";
}

}  // namespace

/// A connection's place among the few that there may be.
struct door::place {
    explicit place(owned_counter& of) noexcept : count{&of} { ++of; }
    place(place&& other) noexcept : count{std::exchange(other.count, nullptr)} {}
    place& operator=(place&&) = delete;
    place(const place&) = delete;
    place& operator=(const place&) = delete;
    ~place() {
        if (count != nullptr) --*count;
    }
    owned_counter* count;
};

/// What a client has sent that is not answered, and the head at its front.
struct door::incoming {
    std::string bytes;
    std::size_t head = 0;  ///< bytes of it
    http::http_request request;
    std::optional<http::http_refusal> refusal;  ///< instead of a request
    bool begun = false;                         ///< a request has been answered before
    std::array<char, 1024> next{};
};

struct door::answer {
    unsigned status = 200;
    std::string body = {};
    std::string_view type = plain_text;
    std::string fields = {};  ///< more of the head, each with its end of line
};

coro::task<void> door::serve(io::engine& engine, unique_fd listening) {
    net::listener listener{engine, std::move(listening), io::accepting::one_by_one};
    coro::context& here = co_await coro::this_context();
    coro::scope clients{here, coro::siblings::go_on};
    coro::context accepting{here};
    accepting_ = &accepting;
    if (!accepts_) accepting.cancel();
    for (;;) {
        auto next = listener.accept();
        next.set_context(accepting);
        auto client = co_await next;
        if (!client && client.error().is(ENOMEM)) {
            const auto slept = co_await io::sleep_for(engine, memory_pause);
            if (slept) continue;
        }
        if (!client) break;
        if (counters_.connections >= options_.most) {
            ++counters_.refused;
            net::set_linger_reset(client->get());
            continue;
        }
        // Without memory for its coroutine, the client is closed.
        static_cast<void>(
            clients.spawn(serve_client(engine, std::move(*client), place{counters_.connections})));
    }
    accepting_ = nullptr;
    co_await listener.close();
    co_await clients.join();
}

void door::stop_accepting() noexcept {
    accepts_ = false;
    if (accepting_ != nullptr) accepting_->cancel();
}

coro::task<void> door::serve_client(io::engine& engine, unique_fd socket, place /*held*/) {
    net::connection peer{engine, std::move(socket)};
    coro::context until_ended{co_await coro::this_context()};
    peer.set_nodelay();
    if (options_.over.context != nullptr) {
        const bool secure = co_await model::make_secure(peer, options_.over, until_ended);
        if (!secure) co_return;
    }
    incoming in;
    for (bool goes_on = true; goes_on;) {
        const auto head = co_await read_head(peer, in);
        if (!head) break;
        const auto found = co_await answer_to(peer, in);
        const bool has_body = in.request.chunked || in.request.length.value_or(0) > 0;
        goes_on = !in.refusal && in.request.keeps_alive && !has_body && accepts_;
        std::string text = fmt::format(
            "HTTP/1.1 {}\r\nServer: sluice\r\nDate: {}\r\nContent-Type: {}\r\n"
            "Content-Length: {}\r\nCache-Control: no-store\r\n"
            "X-Content-Type-Options: nosniff\r\n{}{}\r\n",
            http::status_line(found.status),
            http::format_http_date(std::chrono::floor<std::chrono::seconds>(os::wall_clock_now())),
            found.type, found.body.size(), found.fields,
            !goes_on            ? "Connection: close\r\n"
            : in.request.is_old ? "Connection: keep-alive\r\n"
                                : "");
        if (in.request.method != http_method::head) text += found.body;
        const auto until = io::after(io::clock::now(), options_.send_time);
        auto sent = co_await io::with_deadline(engine, peer.send_all(text), until);
        if (!sent) {
            if (sent.error() == fault::timed_out) {
                ++counters_.slow;
                peer.set_linger_reset();
            }
            co_return;
        }
        in.bytes.erase(0, in.head);
        in.begun = true;
    }
    co_await net::lingering_close(peer, until_ended, closing);
}

// An error if there is nothing to answer: the client has ended or said nothing in time.
coro::task<result<void>> door::read_head(net::connection& peer, incoming& in) {
    http::http_head_scanner scanner{head_limits};
    in.request.clear();
    in.refusal.reset();
    in.head = 0;
    bool idle = in.begun && in.bytes.empty();
    auto until = io::after(io::clock::now(), idle ? options_.idle_time : options_.head_time);
    for (;;) {
        const auto found = scanner.scan(in.bytes);
        if (!found) {
            in.refusal = found.error();
            co_return result<void>{};
        }
        if (*found) {
            in.head = **found;
            const auto parsed =
                http::parse_request(std::string_view{in.bytes}.substr(0, in.head), in.request);
            if (!parsed) in.refusal = parsed.error();
            co_return result<void>{};
        }
        auto got = co_await io::with_deadline(
            peer.engine(), peer.recv_into(std::as_writable_bytes(std::span{in.next})), until);
        if (!got && got.error() == fault::timed_out && !idle) {
            ++counters_.slow;
            in.refusal = http::http_refusal{408, "the head of a request did not come in time"};
            co_return result<void>{};
        }
        if (!got) co_return failure(got.error());
        if (*got == 0) co_return failure(fault::ended);
        if (std::exchange(idle, false)) {
            until = io::after(io::clock::now(), options_.head_time);
        }
        in.bytes.append(in.next.data(), *got);
    }
}

coro::task<door::answer> door::answer_to(net::connection& peer, const incoming& in) {
    ++counters_.requests;
    const auto refuse = [](unsigned status, std::string_view why) {
        return answer{.status = status, .body = fmt::format("{}\n", why)};
    };
    if (in.refusal) {
        ++counters_.bad_requests;
        co_return refuse(in.refusal->status, in.refusal->why);
    }
    const auto& request = in.request;
    const auto asked = http::authority_of(request);
    if (options_.origins != nullptr && !asked.empty() && !options_.origins->is_for_us(asked)) {
        ++counters_.bad_requests;
        co_return refuse(421, "this server has no such name; use its address");
    }
    const auto target = http::split_target(request.target);
    if (!target) {
        ++counters_.bad_requests;
        co_return refuse(400, target.error());
    }
    if (request.method != http_method::get && request.method != http_method::head) {
        auto refused = refuse(request.method == http_method::unknown ? 501 : 405,
                              "metrics can only be read, by GET and HEAD");
        refused.fields = "Allow: GET, HEAD\r\n";
        co_return refused;
    }
    if (target->path == "/metrics" && options_.who != nullptr) {
        std::string said{request.field(http_field::authorization)};
        const auto known = co_await login_of(peer, std::move(said));
        if (!known || !(*known)->has(right)) {
            ++counters_.unknown;
            const bool named = known && !(*known)->name.empty();
            if (named) co_return refuse(403, "this account lacks the right 'metrics'");
            if (!known && known.error() == auth::login_refusal::too_often) {
                co_return refuse(429, auth::to_text(known.error()));
            }
            auto refused = refuse(401, "say who you are: an account with the right 'metrics'");
            refused.fields = fmt::format("WWW-Authenticate: {}\r\n", auth::basic_challenge);
            co_return refused;
        }
    }
    auto found = answer_for(target->path, request);
    if (target->path == "/metrics") ++counters_.scrapes;
    co_return found;
}

coro::task<auth::login> door::login_of(net::connection& peer, std::string said) {
    if (said.empty()) co_return options_.who->anonymous();
    const auto from = peer.peer();
    auto read = auth::read_authorization(said);
    OPENSSL_cleanse(said.data(), said.size());
    if (!from) co_return std::unexpected{auth::login_refusal::wrong};
    const auto now = options_.who->check_now(read, *from);
    if (now) co_return *now;
    co_return co_await options_.who->check(peer.engine(), std::move(*read), *from);
}

door::answer door::answer_for(std::string_view path, const http::http_request& request) const {
    if (path == "/metrics") {
        const auto f = preferred_format(request.field(http_field::accept));
        return {.body = expose(options_.collect(), f), .type = media_type_of(f)};
    }
    if (path == "/healthz") {
        const auto why = options_.why_stuck ? options_.why_stuck() : std::string{};
        if (!why.empty()) return {.status = 503, .body = fmt::format("{}\n", why)};
        return {.body = "alive\n"};
    }
    if (path == "/readyz") {
        return {.status = now() == readiness::ready ? 200U : 503U,
                .body = fmt::format("{}\n", to_text(now()))};
    }
    return {.status = 404, .body = "here are /metrics, /healthz and /readyz\n"};
}

}  // namespace sluice::metrics
