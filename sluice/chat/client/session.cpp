// Implements a session of chat_client: shows the server's lines, and sends those of the queue.
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "sluice/base/sometimes.hpp"
#include "sluice/chat/client/chat_client.hpp"
#include "sluice/chat/client/commands.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::chat {
namespace {

using namespace std::chrono_literals;

// A client that leaves waits until the server is silent for this long, at most so many times.
constexpr auto quiet_period = 1s;
constexpr int max_quiet_periods = 5;
// For the reply to /nick, which precedes the queued lines.
constexpr auto name_timeout = 2s;
// Between unterminated messages, which only a pause separates.
constexpr auto message_gap = 2 * wire::first_pause;
constexpr std::size_t max_spaced_messages = 25;

/// True for the server's line that a name is taken.
bool refuses_name(std::string_view line) noexcept {
    return line.starts_with("* the name ") && line.find(" is taken") != std::string_view::npos;
}

/// True if `line` is `before`, then `what`, then its end or a space.
bool grants(std::string_view line, std::string_view before, std::string_view what) noexcept {
    if (what.empty() || !line.starts_with(before)) return false;
    line.remove_prefix(before.size());
    return line.starts_with(what) && (line.size() == what.size() || line[what.size()] == ' ');
}

/// Detects a server that vanishes without a FIN or a reset within a minute (tcp(7)).
void set_keepalive(int fd) noexcept {
    const auto set = [fd](int level, int name, int value) {
        os::sys().setsockopt(fd, level, name, &value, sizeof value);
    };
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, 30);
    set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
    set(IPPROTO_TCP, TCP_KEEPCNT, 3);
    set(IPPROTO_TCP, TCP_USER_TIMEOUT, 60'000);
}

}  // namespace

struct chat_client::session {
    session(net::connection& s, coro::context& outer, const chat_client_options& o)
        : server{s}, messages{s, o.framing, o.max_line, wire::sender::person}, tasks{outer} {}

    net::connection& server;
    net::framed<net::connection> messages;
    coro::scope tasks;
    std::optional<session_end> ended;
    std::size_t received = 0;           // messages received
    std::size_t sent_before_reply = 0;  // messages sent before the first was received
    bool retrying_name = false;
    bool name_due = false;
    bool sent_exit = false;
    bool unterminated = false;             // our last line was sent without a newline
    coro::channel<char> name_answered{1};  // the server has answered our /nick
};

coro::task<chat_client::session_end> chat_client::run_session(net::connection& server) {
    set_keepalive(server.fd());
    note_connected();
    session_context_.emplace(*root_);
    if (stops_ > 0) session_context_->cancel();
    session_end how = session_end::interrupted;
    {
        session s{server, *session_context_, options_};
        if (s.tasks.spawn(receive_lines(s)) && !s.ended)
            static_cast<void>(s.tasks.spawn(send_lines(s)));
        co_await s.tasks.join();
        if (s.ended) how = *s.ended;
    }
    engine_.timers().disarm(timeout_);
    session_context_.reset();
    co_await server.close();
    co_return how;
}

coro::task<void> chat_client::receive_lines(session& s) {
    for (;;) {
        auto found = s.messages.buffered();
        if (s.unterminated && s.messages.answers_terminated()) wake();
        if (found && !*found && !s.messages.ended()) {
            const auto more = co_await s.messages.more();
            if (more) continue;
            found = failure(more.error());
        }
        if (!found && found.error() == fault::cancelled) co_return;
        if (!found) {
            error_ = found.error();
            s.ended = error_ == fault::message_too_long ? session_end::message_too_long
                                                        : session_end::lost;
            break;
        }
        if (!*found) {
            s.ended = session_end::they_closed;
            break;
        }
        ++s.received;
        const auto line = wire::without_line_end((*found)->text);
        if (!track_grants(s, line)) continue;
        const auto shown = co_await ui_.show(line);
        if (shown) continue;
        if (shown.error() == fault::cancelled) co_return;
        error_ = shown.error();
        s.ended = session_end::screen_failed;
        break;
    }
    // A server that closes before our end of stream may not have read our last lines.
    const bool nothing_left = leaving_ && ui_.is_typed() && unsent_.empty();
    if (s.ended == session_end::they_closed && (s.sent_exit || nothing_left))
        s.ended = session_end::we_left;
    s.tasks.cancel();
}

/// Tracks the name and room that the server grants or refuses. False if the line is not shown.
bool chat_client::track_grants(session& s, std::string_view line) {
    if (grants(line, "* you are now ", asked_nick_)) {
        nick_ = std::exchange(asked_nick_, {});
        s.retrying_name = false;
        static_cast<void>(s.name_answered.try_send(0));
    }
    if (grants(line, "* you are in room ", asked_room_))
        room_name_ = std::exchange(asked_room_, {});
    if (!refuses_name(line)) return true;
    static_cast<void>(s.name_answered.try_send(0));
    // Our own lost connection may still hold the name; a refusal of another name is shown.
    if (sessions_ == 1 || nick_.empty() || asked_nick_ != nick_) return true;
    if (!std::exchange(s.retrying_name, true)) {
        ui_.report_event(
            fmt::format("the name {} is still taken, perhaps by your own connection that was "
                        "cut; asking again until it is free",
                        wire::printable(nick_)));
        static_cast<void>(s.tasks.spawn(retry_name(s)));
    }
    return false;
}

/// Repeats /nick with our last name until it is granted or the user requests another.
coro::task<void> chat_client::retry_name(session& s) {
    auto pause = options_.first_pause;
    for (;;) {
        const auto slept = co_await io::sleep_for(engine_, pause);
        if (!slept || !s.retrying_name || asked_nick_ != nick_) co_return;
        pause = std::min(2 * pause, options_.longest_pause);
        s.name_due = true;
        sometimes(rare_path::chat_name_asked_again);
        wake();
    }
}

coro::task<void> chat_client::send_lines(session& s) {
    auto going = co_await send_identity(s);
    // receive_lines() reports why a connection broke, and the lines received before that.
    while (going) {
        if (s.unterminated && s.messages.answers_terminated()) {
            s.unterminated = false;
            const auto sent = co_await s.server.send_all(wire::message_end(true));
            if (!sent) going = failure(sent.error());
        } else if (std::exchange(s.name_due, false)) {
            going = co_await send_line(s, fmt::format("{}{}", nick_command, nick_));
        } else if (!unsent_.empty()) {
            // The server may close in reply before send_all() returns.
            s.sent_exit = is_exit(unsent_.front());
            going = co_await send_line(s, unsent_.front());
            // Removed from the queue only once sent, so that a lost connection does not lose it.
            if (!going) break;
            drop_first();
            going = co_await separate_messages(s);
        } else if (leaving_) {
            co_return co_await wait_for_close(s);
        } else {
            const auto woken = co_await wakeup_.receive();
            if (!woken) co_return;
        }
    }
}

void chat_client::drop_first() {
    unsent_bytes_ -= unsent_.front().size();
    unsent_.pop_front();
    static_cast<void>(space_.try_send(0));
}

/// Sends /nick and /join; if queued lines follow, waits for the reply to /nick.
coro::task<result<void>> chat_client::send_identity(session& s) {
    asked_nick_ = nick_;
    asked_room_ = room_name_;
    for (const auto& [command, word] :
         {std::pair{nick_command, nick_}, std::pair{join_command, room_name_}}) {
        if (word.empty()) continue;
        auto done = co_await send_line(s, fmt::format("{}{}", command, word));
        if (done) done = co_await separate_messages(s);
        if (!done) co_return done;
    }
    if (!nick_.empty() && sessions_ > 1 && !unsent_.empty()) {
        auto answered = [](session& w) -> coro::task<result<char>> {
            co_return co_await w.name_answered.receive();
        };
        const auto got = co_await io::with_timeout(engine_, answered(s), name_timeout);
        if (!got && got.error() == fault::cancelled) co_return failure(got.error());
    }
    co_return result<void>{};
}

coro::task<result<void>> chat_client::send_line(session& s, std::string_view line) {
    const bool terminated = s.messages.answers_terminated();
    // An empty message without a newline has no bytes.
    if (line.empty() && !terminated) co_return result<void>{};
    std::string framed;
    wire::append_framed(framed, line, terminated);
    const auto sent = co_await s.server.send_all(framed);
    if (!sent) co_return failure(sent.error());
    s.unterminated = !terminated;
    co_return result<void>{};
}

/// Sleeps, if only a pause separates two messages.
coro::task<result<void>> chat_client::separate_messages(session& s) {
    // A server that has sent nothing yet may read unterminated messages.
    const bool unknown = options_.framing == wire::framing::automatic && s.received == 0 &&
                         ++s.sent_before_reply <= max_spaced_messages;
    if (!unknown && s.messages.answers_terminated()) co_return result<void>{};
    co_return co_await io::sleep_for(engine_, message_gap);
}

/// Half-closes the connection and waits for the server's last lines.
coro::task<void> chat_client::wait_for_close(session& s) {
    s.sent_exit = true;
    co_await s.server.end_sending();
    for (int i = 0; i < max_quiet_periods; ++i) {
        const auto received = s.received;
        const auto slept = co_await io::sleep_for(engine_, quiet_period);
        if (!slept) co_return;
        if (s.received == received) break;
    }
    s.ended = session_end::we_left;
    s.tasks.cancel();
}

}  // namespace sluice::chat
