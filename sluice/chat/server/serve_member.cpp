// Implements serve_member: admission, the receive loop and the end of a chat session.
#include "sluice/chat/server/serve_member.hpp"

#include <fmt/format.h>

#include <chrono>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/chat/server/member_input.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/model/secure.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/net/lingering_close.hpp"

namespace sluice::chat {
namespace {

using namespace std::chrono_literals;

// For a leaving member to read its last lines.
constexpr auto close_timeout = 2s;

/// Names and greets a new member and moves it into the lobby. False if it was refused.
bool admit(hub& h, const net::connection& peer, member& m) {
    if (!h.farewell().empty()) {
        m.dismiss(h.farewell());
        return false;
    }
    if (!h.people().admit(m.entry(), h.index(), h.allowed().max_clients)) {
        ++h.counted().refused;
        m.dismiss("* this server is full; try again later");
        return false;
    }
    m.send_private(fmt::format("* welcome, you are {} in {} ({} here); /help says what you can do",
                               m.name(), lobby, h.people().members_of(lobby) + 1));
    h.add(m);
    if (!h.enter(m, lobby)) {
        ++h.counted().refused;
        h.remove(m);
        h.people().remove(m.entry());
        m.dismiss("* this server has no memory left; try again later");
        return false;
    }
    if (h.allowed().introduction == io::duration{}) h.arrive(m);
    const auto from = peer.peer();
    h.show({"<< ", m.name(), " connected from ",
            from ? from->to_string() : std::string{"an address that is gone"}, " >>\n"});
    return true;
}

/// Undoes admit(), however far it came. May be called again.
void remove_member(hub& h, member& m) noexcept {
    h.leave(m);
    const bool was_added = h.remove(m);
    h.people().remove(m.entry());
    if (was_added) h.show({"<< ", m.name(), " disconnected >>\n"});
}

/// Sends the member's remaining output, then lets the peer close first, so that no reset overtakes
/// its last lines. Each within close_timeout.
coro::task<void> flush_and_linger(net::connection& peer, member& m) {
    io::engine& engine = peer.engine();
    const auto deadline = io::after(io::clock::now(), close_timeout);
    auto sent = co_await io::with_deadline(engine, m.rest_sent(), deadline);
    m.shut();
    if (!sent) {
        peer.set_linger_reset();
        co_return;
    }
    co_await net::lingering_close(peer, co_await coro::this_context(),
                                  {.idle = close_timeout, .longest = close_timeout});
}

/// Ends a session, `admitted` or not. Its own coroutine, as wait_while_held().
coro::task<void> end_session(hub& h, net::connection& peer, member& m, bool admitted) {
    if (admitted) {
        // The room must stay while the member reads it; the server's grace limits that.
        if (m.is_flushing()) static_cast<void>(co_await m.rest_sent());
        remove_member(h, m);
    }
    co_await flush_and_linger(peer, m);
}

/// Waits until the input is no longer held. False if the session ends. Its own coroutine, so that a
/// member that is not held does not pay for the frame.
coro::task<bool> wait_while_held(hub& h, member_input& input, result<io::lease>& got) {
    do {
        input.keep_chunk();
        got = {};
        if (input.held() == member_input::hold::turn) {
            co_await h.command_turn();
            input.granted();
        } else {
            co_await io::sleep_for(h.engine(), input.held_for());
        }
        const auto& context = co_await coro::this_context();
        if (context.cancelled() || !input.resume()) co_return false;
    } while (input.held() != member_input::hold::none);
    co_return true;
}

}  // namespace

coro::task<void> serve_member(hub& h, model::accepted_connection client) {
    net::connection peer{h.engine(), std::move(client.socket)};
    peer.set_nodelay();
    if (client.over != nullptr) {
        const bool secure = co_await model::make_secure(peer, *client.over, *client.drain);
        if (!secure) co_return;
    }
    member m{h, peer};
    m.want_newlines(h.allowed().framing != wire::framing::raw);
    bool admitted = false;
    try {
        admitted = admit(h, peer, m);
        if (admitted) {
            member_input input{h, m};
            bool stays = true;
            while (stays) {
                auto got = co_await io::with_deadline(h.engine(), peer.recv(), input.deadline());
                stays = input.feed(got);
                if (stays && input.held() != member_input::hold::none) {
                    stays = co_await wait_while_held(h, input, got);
                }
                input.drop_chunk();
            }
        }
    } catch (const std::bad_alloc&) {
        admitted = true;
        m.give_up();
    }
    const auto ended = co_await end_session(h, peer, m, admitted).outcome();
    if (!ended) {
        m.give_up();
        remove_member(h, m);
    }
    m.shut();
    // The member's send stays in flight while the kernel reads from its memory.
    co_await peer.close();
}

}  // namespace sluice::chat
