// Implements chat_client: sessions with the server, reconnects, and the queue of unsent lines.
#include "sluice/chat/client/chat_client.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/net/dial.hpp"
#include "sluice/net/not_reached.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::chat {
namespace {

using namespace std::chrono_literals;

// Per address; the kernel would try for two minutes.
constexpr auto connect_timeout = 10s;
// After a session this long the reconnect pauses start again from the first.
constexpr auto long_session = 5s;
// A client that leaves waits until the server is silent for this long, at most so many times.
constexpr auto quiet_period = 1s;
constexpr int max_quiet_periods = 5;
// For a server that reads nothing while a typing user leaves.
constexpr auto typed_line_timeout = 2s;
constexpr auto stop_timeout = 300ms;
// For the reply to /nick, which precedes the queued lines.
constexpr auto name_timeout = 2s;
// Between unterminated messages, which only a pause separates.
constexpr auto message_gap = 2 * wire::first_pause;
constexpr std::size_t max_spaced_messages = 25;

constexpr std::string_view nick_command = "/nick ";
constexpr std::string_view join_command = "/join ";
// Sends the rest of the line as a message, whatever it begins with.
constexpr std::string_view say_command = "/say ";

bool is_exit(std::string_view line) noexcept {
    return line == "exit" || line == "/quit" || line.starts_with("/quit ");
}

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

std::string lines(std::size_t count) {
    return count == 1 ? "the line" : fmt::format("the {} lines", count);
}

std::string in_seconds(io::duration d) {
    return fmt::format("{:.1f} s", std::chrono::duration<double>{d}.count());
}

/// Detects a server that vanishes without a FIN or a reset within a minute (tcp(7)).
void set_keepalive(int fd) noexcept {
    const auto set = [fd](int level, int name, int value) {
        ::setsockopt(fd, level, name, &value, sizeof value);
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
        auto socket = co_await connecting;
        connect_context_.reset();
        if (!socket) {
            const bool was_cancelled = socket.error() == fault::cancelled;
            co_return was_cancelled ? conclude(session_end::interrupted) : chat_end::server_gone;
        }
        const auto began_at = io::clock::now();
        const session_end how = co_await run_session(std::move(*socket));
        if (io::clock::now() - began_at >= long_session) failures_ = 0;
        const bool disconnected = how == session_end::they_closed || how == session_end::lost;
        // Piped lines must still be sent, however long that takes.
        const bool reconnects = !leaving_ || (!unsent_.empty() && !ui_.is_typed());
        if (!disconnected || !options_.reconnect || !reconnects || keyboard_error_ || stops_ > 0) {
            co_return conclude(how);
        }
        ui_.note(why(how));
    }
}

/// Connects; after the first session, retries until it succeeds. Reports errors itself.
coro::task<result<unique_fd>> chat_client::connect() {
    for (;;) {
        if (sessions_ > 0) {
            const auto pause = next_pause();
            ui_.note(fmt::format("calling again in {}; what you type is kept until then",
                                 in_seconds(pause)));
            const auto slept = co_await io::sleep_for(engine_, pause);
            if (!slept) co_return failure(slept.error());
        }
        auto dialed = co_await net::dial_any(engine_, addresses_, connect_timeout);
        if (dialed) {
            reached_ = dialed.reached;
            co_return std::move(dialed.socket);
        }
        if (dialed.why() == fault::cancelled) co_return failure(fault::cancelled);
        for (const auto& each : dialed.refusals) {
            const auto reason = net::why_not_reached("chat serve", each.where, each.why);
            if (sessions_ > 0) {
                ui_.note(reason);
            } else {
                ui_.complain(reason);
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

coro::task<chat_client::session_end> chat_client::run_session(unique_fd socket) {
    net::connection server{engine_, std::move(socket)};
    server.set_nodelay();
    set_keepalive(server.fd());
    ++sessions_;
    const auto name = reached_.to_string();
    if (sessions_ > 1) {
        ui_.note(unsent_.empty() ? fmt::format("connected to {} again", name)
                                 : fmt::format("connected to {} again; sending {} you typed "
                                               "meanwhile",
                                               name, lines(unsent_.size())));
    } else if (ui_.is_typed()) {
        ui_.note(
            fmt::format("connected to {}: what you type is said to all; 'exit' or Ctrl-D "
                        "leaves",
                        name));
    }
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
        ui_.note(
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
    s.server.shutdown_send();
    for (int i = 0; i < max_quiet_periods; ++i) {
        const auto received = s.received;
        const auto slept = co_await io::sleep_for(engine_, quiet_period);
        if (!slept) co_return;
        if (s.received == received) break;
    }
    s.ended = session_end::we_left;
    s.tasks.cancel();
}

coro::task<void> chat_client::read_input() {
    for (;;) {
        auto line = co_await ui_.next_line();
        if (!line && line.error() == fault::cancelled) co_return;
        if (!line) keyboard_error_ = line.error();
        if (!line || !*line) break;
        // A typed empty line is an accident; a piped one is a line.
        if ((*line)->empty() && ui_.is_typed()) continue;
        // A pasted `exit` is text, for this client and for the server.
        if (ui_.is_one_of_several() && is_exit(**line)) {
            (*line)->insert(0, say_command);
        }
        const auto next = co_await enter(std::move(**line));
        if (next == after::cancelled) co_return;
        if (next == after::leave) break;
    }
    leave();
    // Piped lines must still be sent; piped input without any line still shows the server's lines.
    const bool gives_up = ui_.is_typed() || keyboard_error_ || (sessions_ > 0 && unsent_.empty());
    if (connect_context_ && gives_up) connect_context_->cancel();
    if (!ui_.is_typed() || stops_ > 0) co_return;
    engine_.timers().disarm(timeout_);
    engine_.timers().arm(timeout_, io::after(io::clock::now(), typed_line_timeout));
}

/// Queues a line to be sent.
coro::task<chat_client::after> chat_client::enter(std::string line) {
    const auto& context = co_await coro::this_context();
    const auto next = is_exit(line) ? after::leave : after::another;
    // Leaving without a connection needs no line to the server.
    const bool unconnected = connect_context_ && (ui_.is_typed() || sessions_ > 0);
    if (next == after::leave && unconnected) co_return next;
    const bool fits = co_await wait_for_space(line.size());
    if (context.cancelled()) co_return after::cancelled;
    if (!fits) {
        ui_.complain(
            fmt::format("{} bytes wait to be sent, which is all that is kept: this line "
                        "is not sent; press Up to have it again",
                        unsent_bytes_));
        co_return next;
    }
    remember_request(line);
    unsent_bytes_ += line.size();
    unsent_.push_back(std::move(line));
    wake();
    co_return next;
}

/// Waits for space for a piped line; returns false at once for a typed one.
coro::task<bool> chat_client::wait_for_space(std::size_t size) {
    while (unsent_bytes_ + size > options_.most_kept && !unsent_.empty()) {
        if (ui_.is_typed()) co_return false;
        const auto space = co_await space_.receive();
        if (!space) co_return false;
    }
    co_return true;
}

void chat_client::remember_request(std::string_view line) {
    const auto word_after = [line](std::string_view command) {
        auto word = line.substr(command.size());
        word.remove_prefix(std::min(word.find_first_not_of(' '), word.size()));
        return std::string{word.substr(0, word.find(' '))};
    };
    if (line.starts_with(nick_command)) asked_nick_ = word_after(nick_command);
    if (line.starts_with(join_command)) asked_room_ = word_after(join_command);
}

void chat_client::leave() noexcept {
    leaving_ = true;
    wake();
}

void chat_client::wake() noexcept {
    // A full channel has a wakeup pending already.
    static_cast<void>(wakeup_.try_send(0));
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
        ui_.complain(
            fmt::format("cannot read your input ({}): leaving", keyboard_error_->message()));
        return chat_end::failed;
    }
    if (const auto reason = why(how); !reason.empty()) ui_.complain(reason);
    if (how == session_end::message_too_long || how == session_end::screen_failed)
        return chat_end::failed;
    if (how == session_end::we_left) return chat_end::left;
    if (!unsent_.empty()) {
        ui_.complain(fmt::format("{} you entered last could not be sent", lines(unsent_.size())));
        return chat_end::server_gone;
    }
    return how == session_end::interrupted ? chat_end::left : chat_end::server_gone;
}

}  // namespace sluice::chat
