// Lets a member in, feeds its input, and cleans up behind it.
#include "sluice/chat/server/session.hpp"

#include <fmt/format.h>

#include <chrono>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/chat/server/member_input.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/net/lingering_close.hpp"

namespace sluice::chat {
namespace {

using namespace std::chrono_literals;

// How long a member that leaves may take to read its last lines.
constexpr auto parting_time = 2s;

/// Names the newcomer, greets it, and puts it into the lobby. False if it cannot stay.
bool welcome(hub& h, const net::connection& peer, member& m) {
    if (!h.farewell().empty()) {
        m.dismiss(h.farewell());
        return false;
    }
    if (!h.people().admit(m.entry(), h.index(), h.allowed().max_clients)) {
        ++h.counted().refused;
        m.dismiss("* this server is full; try again later");
        return false;
    }
    m.tell(fmt::format("* welcome, you are {} in {} ({} here); /help says what you can do",
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

/// Any number of times, and however far welcome() came.
void part(hub& h, member& m) noexcept {
    h.leave(m);
    const bool was_here = h.remove(m);
    h.people().remove(m.entry());
    if (was_here) h.show({"<< ", m.name(), " disconnected >>\n"});
}

/// What waits for the member goes out, if it takes it soon. It ends the connection first, if it
/// does soon, so that no reset overtakes its last lines.
coro::task<void> send_last_lines(net::connection& peer, member& m) {
    io::engine& home = peer.home();
    const auto deadline = io::after(io::clock::now(), parting_time);
    auto sent = co_await io::with_deadline(home, m.rest_sent(), deadline);
    m.shut();
    if (!sent) {
        peer.reset_on_close();
        co_return;
    }
    co_await net::lingering_close(peer, co_await coro::this_context(),
                                  {.idle = parting_time, .longest = parting_time});
}

/// The end of a connection, of one that was `let_in` or not. A frame of its own, as catch_up().
coro::task<void> see_off(hub& h, net::connection& peer, member& m, bool let_in) {
    if (let_in) {
        // Its room has to stay for as long as it reads there; the server's grace ends that.
        if (m.is_seen_out()) static_cast<void>(co_await m.rest_sent());
        part(h, m);
    }
    co_await send_last_lines(peer, m);
    m.shut();
    co_await peer.close();
}

/// Waits until the input is not held up any more. False if the member goes. A frame of its own, so
/// that a member that is not held up does not pay for it.
coro::task<bool> catch_up(hub& h, member_input& input, result<io::lease>& got) {
    do {
        input.keep_chunk();
        got = {};
        if (input.held() == member_input::hold::turn) {
            co_await h.command_turn();
            input.granted();
        } else {
            co_await io::sleep_for(h.home(), input.held_for());
        }
        const auto& context = co_await coro::this_context();
        if (context.cancelled() || !input.resume()) co_return false;
    } while (input.held() != member_input::hold::none);
    co_return true;
}

}  // namespace

coro::task<void> serve_member(hub& h, unique_fd socket, model::address_limit::permit /*permit*/) {
    net::connection peer{h.home(), std::move(socket)};
    peer.send_promptly();
    member m{h, peer};
    m.want_newlines(h.allowed().framing != wire::framing::raw);
    bool let_in = false;
    try {
        let_in = welcome(h, peer, m);
        if (let_in) {
            member_input input{h, m};
            bool stays = true;
            while (stays) {
                auto got = co_await io::with_deadline(h.home(), peer.recv(), input.deadline());
                stays = input.feed(got);
                if (stays && input.held() != member_input::hold::none) {
                    stays = co_await catch_up(h, input, got);
                }
                input.drop_chunk();
            }
        }
    } catch (const std::bad_alloc&) {
        let_in = true;
        m.give_up();
    }
    const auto seen_off = co_await see_off(h, peer, m, let_in).outcome();
    if (seen_off) co_return;
    m.give_up();
    part(h, m);
    m.shut();
    co_await peer.close();
}

}  // namespace sluice::chat
