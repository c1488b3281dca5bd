// Implements the handshakes over session: a step, what it has to say, and a wait for the peer.
#include "sluice/tls/handshake.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <utility>

#include "sluice/base/relaxed.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/op.hpp"

namespace sluice::tls {
namespace {

// A client of TLS speaks first. Longer than its first packet takes to come when it is sent again.
constexpr auto silence_of_clear = std::chrono::seconds{2};

/// Goes on with a handshake until it is complete, or has something to say, which is to be sent
/// before it can go on.
class handshake_step final : public io::op {
 public:
    /// Both outlive it.
    handshake_step(const net::connection& peer, session& with) noexcept
        : op{kind_, peer.engine(), peer.fd()}, with_{with} {}
    /// 0 if it is complete.
    [[nodiscard]] result<std::size_t> await_resume() noexcept { return count(); }

 private:
    static int attempt(op& o) noexcept {
        auto& self = static_cast<handshake_step&>(o);
        const int step = self.with_.handshake(self.fd());
        return step == -EAGAIN && self.with_.has_unsent() ? 1 : step;
    }
    static constexpr io::op_kind kind_{.want = io::interest::in,
                                       .inline_first = true,
                                       .may_hold_input = true,
                                       .attempt = &attempt};

    session& with_;
};

/// Runs all steps. The rest of the last message is sent with the first data, if the socket is full.
coro::task<result<void>> shake_hands(net::connection& peer, session& with, io::time_point until) {
    for (;;) {
        handshake_step next{peer, with};
        const auto step = co_await io::with_deadline(peer.engine(), next, until);
        if (!step) {
            static_cast<void>(with.flush(peer.fd()));  // the alert, if there is one
            co_return failure(step.error());
        }
        io::send all_said{peer.engine(), peer.fd(), {}, 0, &with};
        auto sent = co_await io::with_deadline(peer.engine(), all_said, until);
        if (!sent) co_return failure(sent.error());
        if (*step == 0) co_return result<void>{};
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
