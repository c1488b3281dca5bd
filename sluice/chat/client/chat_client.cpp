// Implements chat_client: connects and reconnects, and says how the chat ended.
#include "sluice/chat/client/chat_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "sluice/auth/line_login.hpp"
#include "sluice/base/check.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/net/dial.hpp"
#include "sluice/net/not_reached.hpp"
#include "sluice/tls/handshake.hpp"

namespace sluice::chat {
namespace {

using namespace std::chrono_literals;

// Per address; the kernel would try for two minutes.
constexpr auto connect_timeout = 10s;
// After a session this long the reconnect pauses start again from the first.
constexpr auto long_session = 5s;
constexpr auto stop_timeout = 300ms;

std::string lines(std::size_t count) {
    return count == 1 ? "the line" : fmt::format("the {} lines", count);
}

std::string in_seconds(io::duration d) {
    return fmt::format("{:.1f} s", std::chrono::duration<double>{d}.count());
}

}  // namespace

chat_client::stop_timer::stop_timer(chat_client& c) noexcept
    : io::timer{[](io::timer& t) noexcept {
          auto& client = static_cast<stop_timer&>(t).owner;
          if (client.session_context_) client.session_context_->cancel();
      }},
      owner{c} {}

chat_client::chat_client(io::engine& engine, std::vector<net::address> addresses, chat_ui& ui,
                         chat_client_options o)
    : engine_{engine},
      addresses_{std::move(addresses)},
      ui_{ui},
      options_{std::move(o)},
      timeout_{*this},
      nick_{options_.nick},
      room_name_{options_.room} {
    check(!addresses_.empty(), "a client needs an address");
    check(!engine.blocks(),
          "a chat client on the blocking engine, which waits for one operation at a time");
}

chat_client::~chat_client() {
    engine_.timers().disarm(timeout_);
}

void chat_client::stop() noexcept {
    ++stops_;
    if (!root_) return;
    if (stops_ > 1) return root_->cancel();
    leave();
    if (connect_context_) connect_context_->cancel();
    engine_.timers().disarm(timeout_);
    engine_.timers().arm(timeout_, io::after(io::clock::now(), stop_timeout));
}

coro::task<chat_end> chat_client::run() {
    if (stops_ > 0) co_return chat_end::stopped;
    root_.emplace(co_await coro::this_context());
    coro::scope background{*root_};
    auto end = chat_end::failed;
    if (background.spawn(ui_.run()) && background.spawn(read_input())) {
        auto running = run_sessions();
        running.set_context(*root_);
        end = co_await running;
        auto finishing = ui_.finish();
        finishing.set_context(*root_);
        co_await finishing;
    }
    background.cancel();
    co_await background.join();
    root_.reset();
    co_return stops_ > 0 ? chat_end::stopped : end;
}

coro::task<chat_end> chat_client::run_sessions() {
    for (;;) {
        connect_context_.emplace(*root_);
        auto connecting = connect();
        connecting.set_context(*connect_context_);
        const auto server = co_await connecting;
        connect_context_.reset();
        if (!server) {
            if (server.error() == fault::cancelled) co_return conclude(session_end::interrupted);
            co_return server.error().is(EACCES) ? chat_end::failed : chat_end::server_gone;
        }
        const auto began_at = io::clock::now();
        const session_end how = co_await run_session(**server);
        if (io::clock::now() - began_at >= long_session) failures_ = 0;
        const bool disconnected = how == session_end::they_closed || how == session_end::lost;
        // Piped lines must still be sent, however long that takes.
        const bool reconnects = !leaving_ || (!unsent_.empty() && !ui_.is_typed());
        if (!disconnected || !options_.reconnect || !reconnects || keyboard_error_ || stops_ > 0) {
            co_return conclude(how);
        }
        ui_.report_event(why(how));
    }
}

/// Makes a connection, secure if that is wanted, and says who the user is. Null where another try
/// may have more luck. Reports errors itself.
coro::task<result<std::unique_ptr<net::connection>>> chat_client::open(unique_fd socket) {
    auto opened = co_await tls::open_connection(engine_, std::move(socket), options_.over, "sluice",
                                                connect_timeout);
    if (!opened) {
        const auto& refusal = opened.error();
        co_return give_up(refusal.what, refusal.why, refusal.is_untrusted);
    }
    if (!options_.login) co_return std::move(*opened);
    auto known = co_await auth::log_in(**opened, *options_.login, connect_timeout);
    if (known) co_return std::move(*opened);
    const auto& refusal = known.error();
    co_return give_up(refusal.what, refusal.why, refusal.why.is(EACCES));
}

/// What a failed open() gives.
result<std::unique_ptr<net::connection>> chat_client::give_up(const std::string& what, error why,
                                                              bool is_final) {
    if (why == fault::cancelled) return failure(fault::cancelled);
    if (sessions_ > 0 && !is_final) {
        ui_.report_event(what);
        return std::unique_ptr<net::connection>{};
    }
    ui_.report_error(what);
    return failure(why);
}

/// Connects; after the first session, retries until it succeeds. Reports errors itself.
coro::task<result<std::unique_ptr<net::connection>>> chat_client::connect() {
    for (;;) {
        if (sessions_ > 0) {
            const auto pause = next_pause();
            ui_.report_event(fmt::format("calling again in {}; what you type is kept until then",
                                         in_seconds(pause)));
            const auto slept = co_await io::sleep_for(engine_, pause);
            if (!slept) co_return failure(slept.error());
        }
        auto dialed = co_await net::dial_any(engine_, addresses_, connect_timeout);
        if (dialed) {
            reached_ = dialed.reached;
            auto opened = co_await open(std::move(dialed.socket));
            if (!opened || *opened != nullptr) co_return opened;
            continue;
        }
        if (dialed.why() == fault::cancelled) co_return failure(fault::cancelled);
        for (const auto& each : dialed.refusals) {
            const auto reason = net::why_not_reached("chat serve", each.where, each.why);
            if (sessions_ > 0) {
                ui_.report_event(reason);
            } else {
                ui_.report_error(reason);
            }
        }
        if (sessions_ == 0) co_return failure_of(EHOSTUNREACH);
    }
}

/// A random 0.5 to 1.5 times a step that doubles, so that clients disconnected together do not
/// reconnect together.
io::duration chat_client::next_pause() noexcept {
    constexpr unsigned max_doublings = 16;
    auto pause = options_.first_pause;
    for (unsigned i = 0; i < std::min(failures_, max_doublings); ++i) {
        pause = std::min(2 * pause, options_.longest_pause);
    }
    ++failures_;
    return pause / 2 + pause * static_cast<long>(engine_.random() % 1024) / 1024;
}

void chat_client::leave() noexcept {
    leaving_ = true;
    wake();
}

void chat_client::wake() noexcept {
    // A full channel has a wakeup pending already.
    static_cast<void>(wakeup_.try_send(0));
}

/// Counts a session, and says to the user that it begins.
void chat_client::note_connected() {
    ++sessions_;
    const auto name = reached_.to_string();
    if (sessions_ > 1) {
        ui_.report_event(unsent_.empty()
                             ? fmt::format("connected to {} again", name)
                             : fmt::format("connected to {} again; sending {} you typed "
                                           "meanwhile",
                                           name, lines(unsent_.size())));
    } else if (ui_.is_typed()) {
        ui_.report_event(
            fmt::format("connected to {}: what you type is said to all; 'exit' or Ctrl-D "
                        "leaves",
                        name));
    }
}

std::string chat_client::why(session_end how) const {
    switch (how) {
        case session_end::they_closed: return "the server closed the connection";
        case session_end::lost:
            return fmt::format("the server is gone: the connection broke ({})", error_.message());
        case session_end::message_too_long:
            return fmt::format(
                "the server sent a line longer than {} bytes, the limit "
                "(--max-line): leaving",
                options_.max_line);
        case session_end::screen_failed:
            return fmt::format("cannot write to standard output ({}): leaving", error_.message());
        case session_end::we_left:
        case session_end::interrupted: break;
    }
    return {};
}

/// Reports the end of the last session and returns the result of run().
chat_end chat_client::conclude(session_end how) {
    if (stops_ > 0) return chat_end::stopped;
    if (keyboard_error_) {
        ui_.report_error(
            fmt::format("cannot read your input ({}): leaving", keyboard_error_->message()));
        return chat_end::failed;
    }
    if (const auto reason = why(how); !reason.empty()) ui_.report_error(reason);
    if (how == session_end::message_too_long || how == session_end::screen_failed)
        return chat_end::failed;
    if (how == session_end::we_left) return chat_end::left;
    if (!unsent_.empty()) {
        ui_.report_error(
            fmt::format("{} you entered last could not be sent", lines(unsent_.size())));
        return chat_end::server_gone;
    }
    return how == session_end::interrupted ? chat_end::left : chat_end::server_gone;
}

}  // namespace sluice::chat
