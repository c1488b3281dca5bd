// Implements the handshakes over session: a step, what it has to say, and a wait for the peer.
#include "sluice/tls/handshake.hpp"

#include <array>
#include <chrono>
#include <memory>
#include <utility>

#include "sluice/base/relaxed.hpp"
#include "sluice/io/deadline.hpp"

namespace sluice::tls {
namespace {

// A client of TLS speaks first. Longer than its first packet takes to come when it is sent again.
constexpr auto silence_of_clear = std::chrono::seconds{2};

/// Runs all steps. The rest of the last message is sent with the first data, if the socket is full.
coro::task<result<void>> shake_hands(net::connection& peer, session& with, io::time_point until) {
    for (;;) {
        const int step = with.handshake(peer.fd());
        if (step < 0 && step != -EAGAIN) {
            static_cast<void>(with.flush(peer.fd()));  // the alert, if there is one
            co_return failure(io::record_layer::error_of(step));
        }
        io::send all_said{peer.engine(), peer.fd(), {}, 0, &with};
        auto sent = co_await io::with_deadline(peer.engine(), all_said, until);
        if (!sent) co_return failure(sent.error());
        if (step == 0) co_return result<void>{};
        auto heard = co_await io::with_deadline(peer.engine(), peer.readable(), until);
        if (!heard) co_return heard;
    }
}

void count(counters& all, const session& with, const result<void>& done) noexcept {
    if (done) {
        auto& which = SSL_session_reused(with.get()) == 1 ? all.resumed : all.full;
        which.fetch_add(1, relaxed);
    } else if (!with.plain().empty()) {
        all.plain.fetch_add(1, relaxed);
    } else {
        all.failed.fetch_add(1, relaxed);
        if (done.error() == fault::timed_out) all.slow.fetch_add(1, relaxed);
    }
}

/// Whether a client begins a handshake. One that says nothing waits for the server to speak.
coro::task<result<bool>> begins_handshake(net::connection& client, io::time_point until) {
    const auto heard = co_await io::with_deadline(client.engine(), client.readable(), until);
    if (!heard && heard.error() == fault::timed_out) co_return false;
    if (!heard) co_return failure(heard.error());
    std::array<std::byte, 1> first{};
    const auto come = client.peek(first);
    co_return come && *come == 1 && first[0] == handshake_record;
}

}  // namespace

coro::task<result<void>> accept(net::connection& client, const door& at) {
    if (at.context->options().clear_too) {
        const auto patient = io::after(io::clock::now(), silence_of_clear);
        const auto secure = co_await begins_handshake(client, patient);
        if (!secure) co_return failure(secure.error());
        if (!*secure) {
            at.context->counting().plain.fetch_add(1, relaxed);
            co_return result<void>{};
        }
    }
    auto made = at.context->accept(at.protocol);
    if (!made) co_return failure(made.error());
    session& with = **made;
    const auto until = io::after(io::clock::now(), at.context->options().handshake_time);
    auto done = co_await shake_hands(client, with, until);
    count(at.context->counting(), with, done);
    if (done) {
        client.secure(std::move(*made));
        co_return done;
    }
    if (with.plain().empty()) co_return done;
    if (at.answer_plain) {
        const std::string answer = at.answer_plain(with.plain());
        static_cast<void>(
            co_await io::with_deadline(client.engine(), client.send_all(answer), until));
    }
    co_return failure(fault::tls_missing);
}

coro::task<std::expected<std::unique_ptr<net::connection>, refusal>> open_connection(
    io::engine& engine, unique_fd socket, client_context* context, std::string_view protocol,
    io::duration timeout) {
    auto server = std::make_unique<net::connection>(engine, std::move(socket));
    server->set_nodelay();
    if (context == nullptr) co_return std::move(server);
    auto made = context->connect(protocol);
    if (!made) co_return std::unexpected{refusal{made.error().message(), made.error()}};
    session& with = **made;
    const auto done = co_await shake_hands(*server, with, io::after(io::clock::now(), timeout));
    if (!done) {
        std::string why = done.error().message();
        if (!with.plain().empty()) why = "it answers, but not in TLS; leave TLS out for it";
        if (!with.why().empty()) why = with.why();
        co_return std::unexpected{refusal{"no TLS: " + why, done.error()}};
    }
    if (auto trusted = context->check(with); !trusted) {
        co_return std::unexpected{
            refusal{std::move(trusted.error()), fault::tls_broken, /*is_untrusted=*/true}};
    }
    server->secure(std::move(*made));
    co_return std::move(server);
}

}  // namespace sluice::tls
