// Implements talk_server and talk_client: accepting, connecting and stopping.
#include "sluice/talk/talk.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <string>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/model/announced.hpp"
#include "sluice/model/secure.hpp"
#include "sluice/model/with_login.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/net/dial.hpp"
#include "sluice/net/network.hpp"
#include "sluice/net/not_reached.hpp"

namespace sluice::talk {
namespace {

// Per address; the kernel would try for two minutes.
constexpr auto connect_timeout = std::chrono::seconds{10};
// Between two attempts to accept a client without memory for it.
constexpr auto no_memory_pause = std::chrono::milliseconds{50};

talk_end to_talk_end(parting how) noexcept {
    switch (how) {
        case parting::they_said_exit:
        case parting::we_said_exit:
        case parting::input_ended: return talk_end::done;
        case parting::they_went_away:
        case parting::they_keep_silent: return talk_end::peer_gone;
        case parting::they_are_strangers:
        case parting::they_talk_long:
        case parting::keyboard_failed:
        case parting::screen_failed: return talk_end::failed;
        case parting::interrupted: return talk_end::stopped;
    }
    return talk_end::failed;
}

/// Whether the terminal UI can still show messages and read lines.
bool ui_is_usable(parting how) noexcept {
    return how != parting::input_ended && how != parting::keyboard_failed &&
           how != parting::screen_failed;
}

std::string seconds_text(io::duration d) {
    return fmt::format("{} s", std::chrono::duration<double>{d}.count());
}

}  // namespace

talk_server::grace_timer::grace_timer(talk_server& s) noexcept
    : io::timer{[](io::timer& t) noexcept {
          auto& server = static_cast<grace_timer&>(t).owner;
          if (server.turns_) server.turns_->cancel();
      }},
      owner{s} {}

talk_server::talk_server(net::listener& listener, term::terminal_ui& ui, options o)
    : listener_{listener}, ui_{ui}, options_{std::move(o)}, grace_{*this} {}

talk_server::~talk_server() {
    listener_.engine().timers().disarm(grace_);
}

void talk_server::stop() noexcept {
    ++stops_;
    if (!root_) return;
    if (stops_ > 1) {
        root_->cancel();
        return;
    }
    accepting_->cancel();
    if (!turns_) return;
    listener_.engine().timers().arm(grace_, io::after(io::clock::now(), options_.grace));
    try {
        ui_.report_event(
            fmt::format("stopping: the conversation may go on for {}, and ends at once if you "
                        "stop again",
                        seconds_text(options_.grace)));
    } catch (const std::bad_alloc&) {
        return;  // it stops unsaid
    }
}

coro::task<talk_end> talk_server::run() {
    if (stops_ > 0) co_return talk_end::stopped;
    root_.emplace(co_await coro::this_context());
    accepting_.emplace(*root_);
    auto serving = serve();
    serving.set_context(*root_);
    const talk_end how = co_await serving;
    co_await listener_.close();
    // Both are linked to the caller's context, which may die before this object.
    accepting_.reset();
    root_.reset();
    co_return stops_ > 0 ? talk_end::stopped : how;
}

coro::task<talk_end> talk_server::serve() {
    for (;;) {
        auto accepted = listener_.accept();
        accepted.set_context(*accepting_);
        auto socket = co_await accepted;
        if (!socket && socket.error().is(ENOMEM)) {
            ui_.report_error("no memory to accept somebody: trying again");
            co_await io::sleep_for(listener_.engine(), no_memory_pause);
            continue;
        }
        if (!socket) {
            if (socket.error() == fault::cancelled) co_return talk_end::stopped;
            ui_.report_error(
                fmt::format("cannot accept anybody any more ({})", socket.error().message()));
            co_return talk_end::failed;
        }
        // Accepted before the stop: closed, as the kernel closes the connections in the backlog.
        if (stops_ > 0) co_return talk_end::stopped;
        auto receiving = receive_address(socket->get());
        receiving.set_context(*accepting_);
        const auto client_address = co_await receiving;
        if (!client_address) continue;
        net::connection client{listener_.engine(), std::move(*socket)};
        const auto who = co_await let_in(client, *client_address);
        if (!who) continue;
        turns_.emplace(*root_);
        ++conversations_;
        const auto end = co_await talk_with(client, *client_address, (*who)->name).outcome();
        turns_.reset();
        if (!end) {
            ui_.report_error("no memory to go on with this conversation: it is over");
            client.set_linger_reset();
            co_await client.close();
            if (!options_.keep) co_return talk_end::failed;
        }
        if (end && *end) co_return **end;
        if (stops_ > 0) co_return talk_end::stopped;
    }
}

/// Makes the connection secure, and asks who it is, as far as that is wanted.
coro::task<auth::admission> talk_server::let_in(net::connection& client,
                                                net::address client_address) {
    if (options_.over.context != nullptr) {
        const bool secure = co_await model::make_secure(client, options_.over, *accepting_);
        if (!secure) co_return std::unexpected{auth::turned_away{.why = "not let in"}};
    }
    if (options_.door.who == nullptr) co_return std::make_shared<const auth::identity>();
    const auto begun = io::clock::now();
    auto asking = auth::ask_who(client, client_address, options_.door, *accepting_);
    asking.set_context(*accepting_);
    auto who = co_await asking;
    if (!who) {
        model::tell_turned_away({.log = options_.access, .kind = model::access_kind::conversation},
                                client_address, who.error(), begun);
    }
    co_return who;
}

coro::task<result<net::address>> talk_server::receive_address(int socket) {
    auto from = net::address::peer_of(socket);
    if (!from) ui_.report_event("somebody connected, and was gone before the first word");
    if (!from || !net::covers(options_.trusted_proxies, *from)) co_return from;
    model::announcement said;
    const auto until = io::after(io::clock::now(), options_.header_time);
    auto end = co_await model::receive_announcement(listener_.engine(), socket, said, until);
    if (end == model::announcement::step::served) {
        co_return model::address_of(said.client(), socket);
    }
    if (!said.why().empty()) {
        ui_.report_event(fmt::format(
            "a connection of the trusted proxy {} was closed, for its PROXY header is {}",
            from->to_string(), said.why()));
    }
    co_return failure(fault::ended);
}

coro::task<std::optional<talk_end>> talk_server::talk_with(net::connection& client,
                                                           net::address client_address,
                                                           std::string_view account) {
    const model::access_span span{options_.access, client_address};
    conversation talk{client, fmt::format("Client {}", client_address.to_string()), ui_,
                      options_.conversation};
    const auto how = co_await talk.run(beginner::they, *turns_);
    auto event = access_of(talk, how);
    event.user = account;
    span.end(event);
    // A web page that makes a browser call is not the client that is awaited.
    if (how == parting::they_are_strangers) co_return std::nullopt;
    if (!options_.keep) co_return to_talk_end(how);
    if (ui_is_usable(how)) co_return std::nullopt;
    if (how == parting::input_ended) {
        ui_.report_event("nobody can answer the next client, so the server ends");
    }
    co_return to_talk_end(how);
}

talk_client::talk_client(io::engine& engine, std::vector<net::address> addresses,
                         term::terminal_ui& ui, conversation_options o, tls::client_context* over,
                         std::optional<auth::credentials> login)
    : engine_{engine},
      addresses_{std::move(addresses)},
      ui_{ui},
      options_{o},
      over_{over},
      login_{std::move(login)} {
    check(!addresses_.empty(), "a client needs an address");
}

void talk_client::stop() noexcept {
    ++stops_;
    if (!root_) return;
    (stops_ > 1 ? root_ : turns_)->cancel();
}

coro::task<talk_end> talk_client::run() {
    if (stops_ > 0) co_return talk_end::stopped;
    root_.emplace(co_await coro::this_context());
    turns_.emplace(*root_);
    auto talking = talk();
    talking.set_context(*root_);
    const talk_end how = co_await talking;
    turns_.reset();
    root_.reset();
    co_return stops_ > 0 ? talk_end::stopped : how;
}

coro::task<talk_end> talk_client::talk() {
    auto connecting = connect();
    connecting.set_context(*turns_);
    const auto server = co_await connecting;
    if (!server) co_return server.error().is(EACCES) ? talk_end::failed : talk_end::peer_gone;
    const auto name = reached_.to_string();
    ui_.report_event(
        fmt::format("connected to {}: you have the first word, 'exit' is the last", name));
    conversation talk{**server, fmt::format("Server {}", name), ui_, options_};
    co_return to_talk_end(co_await talk.run(beginner::we, *turns_));
}

coro::task<result<std::unique_ptr<net::connection>>> talk_client::connect() {
    auto dialed = co_await net::dial_any(engine_, addresses_, connect_timeout);
    if (dialed) {
        reached_ = dialed.reached;
        auto opened = co_await tls::open_connection(engine_, std::move(dialed.socket), over_,
                                                    "sluice", connect_timeout);
        if (opened && login_) {
            auto known = co_await auth::log_in(**opened, *login_, connect_timeout);
            if (!known) {
                if (known.error().why != fault::cancelled) ui_.report_error(known.error().what);
                co_return failure(known.error().why);
            }
        }
        if (opened) co_return std::move(*opened);
        if (opened.error().why != fault::cancelled) ui_.report_error(opened.error().what);
        co_return failure(opened.error().why);
    }
    if (dialed.why() == fault::cancelled) co_return failure(fault::cancelled);
    for (const auto& each : dialed.refusals) {
        ui_.report_error(net::why_not_reached("talk serve", each.where, each.why));
    }
    co_return failure_of(EHOSTUNREACH);
}

}  // namespace sluice::talk
