// Implements serve_member: admission, the receive loop and the end of a chat session.
#include "sluice/chat/server/serve_member.hpp"

#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/auth/line_login.hpp"
#include "sluice/chat/server/commands.hpp"
#include "sluice/chat/server/member_input.hpp"
#include "sluice/chat/server/moderation.hpp"
#include "sluice/chat/server/names.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/model/secure.hpp"
#include "sluice/model/with_login.hpp"
#include "sluice/net/client_network.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/net/lingering_close.hpp"

namespace sluice::chat {
namespace {

using namespace std::chrono_literals;

// For a leaving member to read its last lines.
constexpr auto close_timeout = 2s;

/// Names a member as its account is named, if no other has that name now. True if it is named
/// so.
bool take_name_of_account(hub& h, member& m) {
    const std::string& name = m.account()->name;
    if (name.empty()) return false;
    const auto wanted = judge_nick(name);
    if (!wanted) {
        m.send_private(fmt::format("* {} is no name for a chat: {}", name, wanted.error()));
        return false;
    }
    return *wanted == m.name() || rename(h, m, *wanted);
}

/// Names and greets a new member and moves it into the lobby. False if it was refused.
bool admit(hub& h, member& m) {
    if (!h.farewell().empty()) {
        m.dismiss(h.farewell());
        return false;
    }
    if (!h.people().admit(m.entry(), h.index(), h.allowed().max_clients)) {
        ++h.counted().refused;
        m.dismiss(m.with_id("* this server is full; try again later"));
        return false;
    }
    if (m.account() != nullptr) take_name_of_account(h, m);
    m.send_private(fmt::format("* welcome, you are {} in {} ({} here); /help says what you can do",
                               m.name(), lobby, h.people().members_of(lobby) + 1));
    h.add(m);
    if (!h.enter(m, lobby)) {
        ++h.counted().refused;
        h.remove(m);
        h.people().remove(m.entry());
        m.dismiss(m.with_id("* this server has no memory left; try again later"));
        return false;
    }
    show_topic(h, m);
    if (h.allowed().introduction == io::duration{}) h.arrive(m);
    const auto from = m.address();
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
        m.keep_last_room();
        remove_member(h, m);
    }
    co_await flush_and_linger(peer, m);
}

bool is_banned(hub& h, const net::address& from, const auth::identity& who) {
    return h.accounts()->banned().of(net::network_of(from), who.name, h.engine().now()).has_value();
}

auth::admission turn_away(std::string_view why, std::shared_ptr<const auth::identity> who = {}) {
    return std::unexpected{auth::turned_away{.why = why, .who = std::move(who)}};
}

/// Asks who it is.
coro::task<auth::admission> ask_for_account(hub& h, net::connection& peer,
                                            const model::accepted_connection& client) {
    coro::context& drain = *client.drain;
    const auto from = model::address_of(client.announced, peer.fd());
    if (!from) co_return turn_away("lost");
    auto asking = auth::ask_who(peer, *from, h.accounts()->door(), drain);
    asking.set_context(drain);
    auto who = co_await asking;
    if (!who || !is_banned(h, *from, **who)) co_return who;
    auto told = co_await io::with_timeout(
        h.engine(), peer.send_all("* no: you are banned here; come back later\n"), close_timeout);
    if (told) {
        co_await net::lingering_close(peer, drain,
                                      {.idle = close_timeout, .longest = close_timeout});
    }
    co_return turn_away("banned", std::move(*who));
}

/// Makes the connection secure, and asks who it is, as far as that is wanted, before it is
/// admitted: null where none is asked. As many may be at that as there may be members.
coro::task<auth::admission> let_in(hub& h, net::connection& peer,
                                   const model::accepted_connection& client) {
    const directory::newcomer here{h.people()};
    if (here.others() >= h.allowed().max_clients) {
        ++h.counted().refused;
        co_return turn_away("not let in");
    }
    if (client.over != nullptr) {
        const bool secure = co_await model::make_secure(peer, *client.over, *client.drain);
        if (!secure) co_return turn_away("not let in");
    }
    if (h.accounts() == nullptr) co_return nullptr;
    co_return co_await ask_for_account(h, peer, client);
}

/// Lets a member use the account that it names, if it can prove that it is its own.
coro::task<void> log_in(hub& h, member& m, auth::credentials said) {
    const auth::line_door& door = h.accounts()->door();
    const auto from = m.address();
    if (!from) co_return;
    auto found = door.who->check_now(said, *from);
    if (!found) {
        auth::login checked = co_await door.who->check(h.engine(), std::move(said), *from);
        found = std::move(checked);
    }
    if (!*found) {
        m.send_private(fmt::format("* no: {}", auth::to_text(found->error())));
        co_return;
    }
    if (!door.admits(***found)) {
        m.send_private(fmt::format("* no: {} may not {}", (**found)->name, door.purpose));
        co_return;
    }
    if (is_banned(h, *from, ***found)) {
        m.dismiss(fmt::format("* you have to go: {} is banned here", (**found)->name));
        co_return;
    }
    m.set_account(std::move(**found));
    h.show({"<< ", m.name(), " has logged in as ", m.account()->name, " >>\n"});
    if (take_name_of_account(h, m)) m.send_private(fmt::format("* you are now {}", m.name()));
}

/// Waits until the input is no longer held. False if the session ends. Its own coroutine, so that a
/// member that is not held does not pay for the frame.
coro::task<bool> wait_while_held(hub& h, member& m, member_input& input, result<io::lease>& got) {
    do {
        input.keep_chunk();
        got = {};
        if (input.held() == member_input::hold::turn) {
            co_await h.command_turn();
            input.granted();
        } else if (input.held() == member_input::hold::login) {
            co_await log_in(h, m, input.take_login());
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
    std::shared_ptr<const auth::identity> who;
    if (client.over != nullptr || h.accounts() != nullptr) {
        const auto begun = io::clock::now();
        // Once it is closed, only who has announced the client knows its address.
        const auto from = model::address_of(client.announced, peer.fd());
        auto found = co_await let_in(h, peer, client);
        if (!found) {
            model::tell_turned_away({.log = h.access_log(), .kind = model::access_kind::session},
                                    from.value_or(net::address{}), found.error(), begun);
            co_return;
        }
        who = std::move(*found);
    }
    member m{h, peer};
    m.set_announced(client.announced.get());
    m.set_account(std::move(who));
    m.want_newlines(h.allowed().framing != wire::framing::raw);
    bool admitted = false;
    try {
        m.tell_to(h.access_log());
        admitted = admit(h, m);
        if (admitted) {
            member_input input{h, m};
            bool stays = true;
            while (stays) {
                auto got = co_await io::with_deadline(h.engine(), peer.recv(), input.deadline());
                stays = input.feed(got);
                if (stays && input.held() != member_input::hold::none) {
                    stays = co_await wait_while_held(h, m, input, got);
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
    m.tell_end(admitted);
    // The member's send stays in flight while the kernel reads from its memory.
    co_await peer.close();
}

}  // namespace sluice::chat
