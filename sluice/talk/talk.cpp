// Waits for clients, calls servers, and comes to an end when asked.
#include "sluice/talk/talk.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <string>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/net/dial.hpp"
#include "sluice/net/not_reached.hpp"

namespace sluice::talk {
namespace {

// The kernel would try for two minutes.
constexpr auto patience = std::chrono::seconds{10};
// Before memory is asked for once more to accept somebody.
constexpr auto shortage_pause = std::chrono::milliseconds{50};

talk_end end_of(parting how) noexcept {
    switch (how) {
        case parting::they_said_exit:
        case parting::we_said_exit:
        case parting::input_ended: return talk_end::done;
        case parting::they_went_away:
        case parting::they_keep_silent: return talk_end::peer_gone;
        case parting::they_talk_long:
        case parting::keyboard_failed:
        case parting::screen_failed: return talk_end::failed;
        case parting::interrupted: return talk_end::stopped;
    }
    return talk_end::failed;
}

/// Whether somebody at the desk can still hear and answer.
bool desk_is_staffed(parting how) noexcept {
    return how != parting::input_ended && how != parting::keyboard_failed &&
           how != parting::screen_failed;
}

std::string in_seconds_of(io::duration d) {
    return fmt::format("{} s", std::chrono::duration<double>{d}.count());
}

}  // namespace

talk_server::grace_timer::grace_timer(talk_server& s) noexcept
    : io::timer{[](io::timer& t) noexcept {
          auto& server = static_cast<grace_timer&>(t).owner;
          if (server.turns_) server.turns_->cancel();
      }},
      owner{s} {}

talk_server::talk_server(net::listener& door, desk& here, options o)
    : door_{door}, desk_{here}, options_{o}, grace_{*this} {}

talk_server::~talk_server() {
    door_.home().timers().disarm(grace_);
}

void talk_server::stop() noexcept {
    ++stops_;
    if (!everything_) return;
    if (stops_ > 1) {
        everything_->cancel();
        return;
    }
    arrivals_->cancel();
    if (!turns_) return;
    desk_.note(
        fmt::format("stopping: the conversation may go on for {}, and ends at once if you "
                    "stop again",
                    in_seconds_of(options_.grace)));
    door_.home().timers().arm(grace_, io::after(io::clock::now(), options_.grace));
}

coro::task<talk_end> talk_server::run() {
    if (stops_ > 0) co_return talk_end::stopped;
    everything_.emplace(co_await coro::this_context());
    arrivals_.emplace(*everything_);
    auto serving = serve();
    serving.set_context(*everything_);
    const talk_end how = co_await serving;
    co_await door_.close();
    // They hang in the caller's context, which may die before this object.
    arrivals_.reset();
    everything_.reset();
    co_return stops_ > 0 ? talk_end::stopped : how;
}

coro::task<talk_end> talk_server::serve() {
    for (;;) {
        auto arrival = door_.accept();
        arrival.set_context(*arrivals_);
        auto socket = co_await arrival;
        if (!socket && socket.error().is(ENOMEM)) {
            desk_.complain("no memory to accept somebody: trying again");
            co_await io::sleep_for(door_.home(), shortage_pause);
            continue;
        }
        if (!socket) {
            if (socket.error() == fault::cancelled) co_return talk_end::stopped;
            desk_.complain(
                fmt::format("cannot accept anybody any more ({})", socket.error().message()));
            co_return talk_end::failed;
        }
        // It had been accepted before the stop: closed as those in the backlog are.
        if (stops_ > 0) co_return talk_end::stopped;
        net::connection client{door_.home(), std::move(*socket)};
        const auto who = client.peer();
        if (!who) {
            desk_.note("somebody connected, and was gone before the first word");
            continue;
        }
        turns_.emplace(*everything_);
        ++conversations_;
        const auto end = co_await talk_with(client, *who).outcome();
        turns_.reset();
        if (!end) {
            desk_.complain("no memory to go on with this conversation: it is over");
            client.reset_on_close();
            co_await client.close();
            if (!options_.keep) co_return talk_end::failed;
        }
        if (end && *end) co_return **end;
        if (stops_ > 0) co_return talk_end::stopped;
    }
}

coro::task<std::optional<talk_end>> talk_server::talk_with(net::connection& client,
                                                           net::address who) {
    conversation talk{client, fmt::format("Client {}", who.to_string()), desk_,
                      options_.conversation};
    const auto how = co_await talk.run(beginner::they, *turns_);
    if (!options_.keep) co_return end_of(how);
    if (desk_is_staffed(how)) co_return std::nullopt;
    if (how == parting::input_ended) {
        desk_.note("nobody can answer the next client, so the server ends");
    }
    co_return end_of(how);
}

talk_client::talk_client(io::engine& home, std::vector<net::address> where, desk& here,
                         conversation_options o)
    : home_{home}, where_{std::move(where)}, desk_{here}, options_{o} {
    check(!where_.empty(), "a call needs an address");
}

void talk_client::stop() noexcept {
    ++stops_;
    if (!everything_) return;
    (stops_ > 1 ? everything_ : turns_)->cancel();
}

coro::task<talk_end> talk_client::run() {
    if (stops_ > 0) co_return talk_end::stopped;
    everything_.emplace(co_await coro::this_context());
    turns_.emplace(*everything_);
    auto talking = talk();
    talking.set_context(*everything_);
    const talk_end how = co_await talking;
    turns_.reset();
    everything_.reset();
    co_return stops_ > 0 ? talk_end::stopped : how;
}

coro::task<talk_end> talk_client::talk() {
    auto calling = call();
    calling.set_context(*turns_);
    auto socket = co_await calling;
    if (!socket) co_return talk_end::peer_gone;
    net::connection server{home_, std::move(*socket)};
    const auto name = reached_.to_string();
    desk_.note(fmt::format("connected to {}: you have the first word, 'exit' is the last", name));
    conversation talk{server, fmt::format("Server {}", name), desk_, options_};
    co_return end_of(co_await talk.run(beginner::we, *turns_));
}

coro::task<result<unique_fd>> talk_client::call() {
    std::vector<std::string> complaints;
    for (const auto& address : where_) {
        auto socket = co_await io::with_timeout(home_, net::dial(home_, address), patience);
        if (socket) reached_ = address;
        if (socket || socket.error() == fault::cancelled) co_return socket;
        complaints.push_back(why_not_reached("talk serve", address, socket.error()));
    }
    for (const auto& complaint : complaints) desk_.complain(complaint);
    co_return failure_of(EHOSTUNREACH);
}

}  // namespace sluice::talk
