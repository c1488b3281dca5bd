// Visits, the pauses between them, and what the server grants.
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

// The kernel would try for two minutes.
constexpr auto call_time = 10s;
// A visit this long shows that the server is well, so that the pauses begin anew.
constexpr auto long_visit = 5s;
// Who leaves waits for the server this long after its last word, and so often.
constexpr auto silence = 1s;
constexpr int most_silences = 5;
// One who types and leaves does not wait for a server that takes nothing.
constexpr auto typed_patience = 2s;
constexpr auto stop_patience = 300ms;
// The answer to our name comes before the lines that were kept.
constexpr auto naming_time = 2s;
// Messages without ends are told apart by time.
constexpr auto gap = 2 * wire::first_pause;
constexpr std::size_t most_cautious = 25;

constexpr std::string_view ask_for_name = "/nick ";
constexpr std::string_view ask_for_room = "/join ";
// What follows is said, whatever it begins with.
constexpr std::string_view say_as_it_is = "/say ";

bool is_farewell(std::string_view line) noexcept {
    return line == "exit" || line == "/quit" || line.starts_with("/quit ");
}

/// The server's word that a name is not to be had.
bool refuses_name(std::string_view line) noexcept {
    return line.starts_with("* the name ") && line.find(" is taken") != std::string_view::npos;
}

/// Whether `line` is `before`, then `what`, and then nothing or another word.
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

/// A server that vanishes without a word is noticed within a minute (tcp(7)).
void notice_death(int fd) noexcept {
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

struct chat_client::visit {
    visit(net::connection& s, coro::context& outer, const chat_client_options& o)
        : server{s}, messages{s, o.framing, o.max_line, wire::sender::person}, parts{outer} {}

    net::connection& server;
    net::framed<net::connection> messages;
    coro::scope parts;
    std::optional<cut> ended;
    std::size_t heard = 0;         // messages
    std::size_t sent_unheard = 0;  // messages, before the first was heard
    bool asking_again = false;
    bool name_is_due = false;
    bool said_goodbye = false;
    bool is_open = false;          // our last line went out without an end
    coro::channel<char> named{1};  // the server has answered to our name
};

chat_client::patience_timer::patience_timer(chat_client& c) noexcept
    : io::timer{[](io::timer& t) noexcept {
          auto& client = static_cast<patience_timer&>(t).owner;
          if (client.visiting_) client.visiting_->cancel();
      }},
      owner{c} {}

chat_client::chat_client(io::engine& home, std::vector<net::address> where, chat_desk& here,
                         chat_client_options o)
    : home_{home},
      where_{std::move(where)},
      desk_{here},
      options_{std::move(o)},
      patience_{*this},
      nick_{options_.nick},
      room_name_{options_.room} {
    check(!where_.empty(), "a call needs an address");
    check(!home.blocks(), "a chat on an engine that waits for one thing at a time");
}

chat_client::~chat_client() {
    home_.timers().disarm(patience_);
}

void chat_client::stop() noexcept {
    ++stops_;
    if (!everything_) return;
    if (stops_ > 1) return everything_->cancel();
    leave();
    if (away_) away_->cancel();
    home_.timers().disarm(patience_);
    home_.timers().arm(patience_, io::after(io::clock::now(), stop_patience));
}

coro::task<chat_end> chat_client::run() {
    if (stops_ > 0) co_return chat_end::stopped;
    everything_.emplace(co_await coro::this_context());
    coro::scope beside{*everything_};
    auto end = chat_end::failed;
    if (beside.spawn(desk_.run()) && beside.spawn(type())) {
        auto chatting = come_and_go();
        chatting.set_context(*everything_);
        end = co_await chatting;
        auto finishing = desk_.finish();
        finishing.set_context(*everything_);
        co_await finishing;
    }
    beside.cancel();
    co_await beside.join();
    everything_.reset();
    co_return stops_ > 0 ? chat_end::stopped : end;
}

coro::task<chat_end> chat_client::come_and_go() {
    for (;;) {
        away_.emplace(*everything_);
        auto calling = call();
        calling.set_context(*away_);
        auto socket = co_await calling;
        away_.reset();
        if (!socket) {
            const bool given_up = socket.error() == fault::cancelled;
            co_return given_up ? conclude(cut::interrupted) : chat_end::server_gone;
        }
        const auto began = io::clock::now();
        const cut how = co_await stay(std::move(*socket));
        if (io::clock::now() - began >= long_visit) failures_ = 0;
        const bool cut_off = how == cut::they_closed || how == cut::lost;
        // Lines that were piped in are still to be sent, however long that takes.
        const bool wants_back = !leaving_ || (!unsent_.empty() && !desk_.is_typed());
        if (!cut_off || !options_.reconnect || !wants_back || keyboard_trouble_ || stops_ > 0) {
            co_return conclude(how);
        }
        desk_.note(why(how));
    }
}

/// Calls until somebody answers; the first time only once. What went wrong has been said.
coro::task<result<unique_fd>> chat_client::call() {
    for (;;) {
        if (visits_ > 0) {
            const auto pause = next_pause();
            desk_.note(fmt::format("calling again in {}; what you type is kept until then",
                                   in_seconds(pause)));
            const auto slept = co_await io::sleep_for(home_, pause);
            if (!slept) co_return failure(slept.error());
        }
        std::vector<std::string> complaints;
        for (const auto& address : where_) {
            auto socket = co_await io::with_timeout(home_, net::dial(home_, address), call_time);
            if (socket) reached_ = address;
            if (socket || socket.error() == fault::cancelled) co_return socket;
            complaints.push_back(why_not_reached("chat serve", address, socket.error()));
        }
        for (const auto& complaint : complaints) {
            if (visits_ > 0) {
                desk_.note(complaint);
            } else {
                desk_.complain(complaint);
            }
        }
        if (visits_ == 0) co_return failure_of(EHOSTUNREACH);
    }
}

/// From half to one and a half times a step that doubles: many who were cut off together are not to
/// come back together.
io::duration chat_client::next_pause() noexcept {
    constexpr unsigned most_doublings = 16;
    auto pause = options_.first_pause;
    for (unsigned i = 0; i < std::min(failures_, most_doublings); ++i) {
        pause = std::min(2 * pause, options_.longest_pause);
    }
    ++failures_;
    return pause / 2 + pause * static_cast<long>(home_.random() % 1024) / 1024;
}

coro::task<chat_client::cut> chat_client::stay(unique_fd socket) {
    net::connection server{home_, std::move(socket)};
    server.send_promptly();
    notice_death(server.fd());
    ++visits_;
    const auto name = reached_.to_string();
    if (visits_ > 1) {
        desk_.note(unsent_.empty() ? fmt::format("connected to {} again", name)
                                   : fmt::format("connected to {} again; sending {} you typed "
                                                 "meanwhile",
                                                 name, lines(unsent_.size())));
    } else if (desk_.is_typed()) {
        desk_.note(
            fmt::format("connected to {}: what you type is said to all; 'exit' or Ctrl-D "
                        "leaves",
                        name));
    }
    visiting_.emplace(*everything_);
    if (stops_ > 0) visiting_->cancel();
    cut how = cut::interrupted;
    {
        visit v{server, *visiting_, options_};
        if (v.parts.spawn(hear(v)) && !v.ended) static_cast<void>(v.parts.spawn(say(v)));
        co_await v.parts.join();
        if (v.ended) how = *v.ended;
    }
    home_.timers().disarm(patience_);
    visiting_.reset();
    co_await server.close();
    co_return how;
}

coro::task<void> chat_client::hear(visit& v) {
    for (;;) {
        auto found = v.messages.here();
        if (v.is_open && v.messages.answers_terminated()) ring();
        if (found && !*found && !v.messages.ended()) {
            const auto more = co_await v.messages.more();
            if (more) continue;
            found = failure(more.error());
        }
        if (!found && found.error() == fault::cancelled) co_return;
        if (!found) {
            trouble_ = found.error();
            v.ended = trouble_ == fault::message_too_long ? cut::message_too_long : cut::lost;
            break;
        }
        if (!*found) {
            v.ended = cut::they_closed;
            break;
        }
        ++v.heard;
        const auto line = wire::without_line_end((*found)->text);
        if (!learn(v, line)) continue;
        const auto shown = co_await desk_.show(line);
        if (shown) continue;
        if (shown.error() == fault::cancelled) co_return;
        trouble_ = shown.error();
        v.ended = cut::screen_failed;
        break;
    }
    // A server that closes before it has heard our end may not have heard our last lines.
    const bool nothing_left = leaving_ && desk_.is_typed() && unsent_.empty();
    if (v.ended == cut::they_closed && (v.said_goodbye || nothing_left)) v.ended = cut::we_left;
    v.parts.cancel();
}

/// Takes note of what the server grants or refuses. False if it is nothing that a person need see.
bool chat_client::learn(visit& v, std::string_view line) {
    if (grants(line, "* you are now ", asked_nick_)) {
        nick_ = std::exchange(asked_nick_, {});
        v.asking_again = false;
        static_cast<void>(v.named.try_send(0));
    }
    if (grants(line, "* you are in room ", asked_room_))
        room_name_ = std::exchange(asked_room_, {});
    if (!refuses_name(line)) return true;
    static_cast<void>(v.named.try_send(0));
    // Our own connection that was cut may still hold it; whoever asked for another name is told.
    if (visits_ == 1 || nick_.empty() || asked_nick_ != nick_) return true;
    if (!std::exchange(v.asking_again, true)) {
        desk_.note(
            fmt::format("the name {} is still taken, perhaps by your own connection that was "
                        "cut; asking again until it is free",
                        wire::printable(nick_)));
        static_cast<void>(v.parts.spawn(ask_again(v)));
    }
    return false;
}

/// Asks for the name that was ours until it is granted, or until another is wanted.
coro::task<void> chat_client::ask_again(visit& v) {
    auto pause = options_.first_pause;
    for (;;) {
        const auto slept = co_await io::sleep_for(home_, pause);
        if (!slept || !v.asking_again || asked_nick_ != nick_) co_return;
        pause = std::min(2 * pause, options_.longest_pause);
        v.name_is_due = true;
        ring();
    }
}

coro::task<void> chat_client::say(visit& v) {
    auto going = co_await introduce(v);
    // Why a connection broke, and what came before it broke, is heard by the one who hears.
    while (going) {
        if (v.is_open && v.messages.answers_terminated()) {
            v.is_open = false;
            const auto sent = co_await v.server.send_all(wire::message_end(true));
            if (!sent) going = failure(sent.error());
        } else if (std::exchange(v.name_is_due, false)) {
            going = co_await send_line(v, fmt::format("{}{}", ask_for_name, nick_));
        } else if (!unsent_.empty()) {
            // The server may close in answer before we hear that all is sent.
            v.said_goodbye = is_farewell(unsent_.front());
            going = co_await send_line(v, unsent_.front());
            // It leaves the queue only when it has left us, or a connection that breaks loses it.
            if (!going) break;
            drop_first();
            going = co_await keep_apart(v);
        } else if (leaving_) {
            co_return co_await linger(v);
        } else {
            const auto rung = co_await bell_.receive();
            if (!rung) co_return;
        }
    }
}

void chat_client::drop_first() {
    unsent_bytes_ -= unsent_.front().size();
    unsent_.pop_front();
    static_cast<void>(room_.try_send(0));
}

/// Asks for the name and the room, and before lines that were kept waits for the answer.
coro::task<result<void>> chat_client::introduce(visit& v) {
    asked_nick_ = nick_;
    asked_room_ = room_name_;
    for (const auto& [command, word] :
         {std::pair{ask_for_name, nick_}, std::pair{ask_for_room, room_name_}}) {
        if (word.empty()) continue;
        auto done = co_await send_line(v, fmt::format("{}{}", command, word));
        if (done) done = co_await keep_apart(v);
        if (!done) co_return done;
    }
    if (!nick_.empty() && visits_ > 1 && !unsent_.empty()) {
        auto answered = [](visit& w) -> coro::task<result<char>> {
            co_return co_await w.named.receive();
        };
        const auto got = co_await io::with_timeout(home_, answered(v), naming_time);
        if (!got && got.error() == fault::cancelled) co_return failure(got.error());
    }
    co_return result<void>{};
}

coro::task<result<void>> chat_client::send_line(visit& v, std::string_view line) {
    const bool terminated = v.messages.answers_terminated();
    // Nothing stands for an empty message that has no end.
    if (line.empty() && !terminated) co_return result<void>{};
    std::string framed;
    wire::append_framed(framed, line, terminated);
    const auto sent = co_await v.server.send_all(framed);
    if (!sent) co_return failure(sent.error());
    v.is_open = !terminated;
    co_return result<void>{};
}

/// Waits, where it takes time to tell two messages apart.
coro::task<result<void>> chat_client::keep_apart(visit& v) {
    // A server that has said nothing yet may be one of those that know no ends.
    const bool unknown = options_.framing == wire::framing::automatic && v.heard == 0 &&
                         ++v.sent_unheard <= most_cautious;
    if (!unknown && v.messages.answers_terminated()) co_return result<void>{};
    co_return co_await io::sleep_for(home_, gap);
}

/// We have said all: hears the server out.
coro::task<void> chat_client::linger(visit& v) {
    v.said_goodbye = true;
    v.server.finish_sending();
    for (int i = 0; i < most_silences; ++i) {
        const auto heard = v.heard;
        const auto slept = co_await io::sleep_for(home_, silence);
        if (!slept) co_return;
        if (v.heard == heard) break;
    }
    v.ended = cut::we_left;
    v.parts.cancel();
}

coro::task<void> chat_client::type() {
    for (;;) {
        auto line = co_await desk_.next_line();
        if (!line && line.error() == fault::cancelled) co_return;
        if (!line) keyboard_trouble_ = line.error();
        if (!line || !*line) break;
        // One who types may press Enter once too often; in a file an empty line is a line.
        if ((*line)->empty() && desk_.is_typed()) continue;
        // In the middle of what was pasted nobody leaves, here or at the server.
        if (desk_.is_one_of_several() && is_farewell(**line)) {
            (*line)->insert(0, say_as_it_is);
        }
        const auto next = co_await enter(std::move(**line));
        if (next == after::cancelled) co_return;
        if (next == after::leave) break;
    }
    leave();
    // What was piped in is still to be sent; and without any line, a pipe wants to hear the server.
    const bool gives_up = desk_.is_typed() || keyboard_trouble_ || (visits_ > 0 && unsent_.empty());
    if (away_ && gives_up) away_->cancel();
    if (!desk_.is_typed() || stops_ > 0) co_return;
    home_.timers().disarm(patience_);
    home_.timers().arm(patience_, io::after(io::clock::now(), typed_patience));
}

/// Puts a line where lines wait to be sent.
coro::task<chat_client::after> chat_client::enter(std::string line) {
    const auto& here = co_await coro::this_context();
    const auto next = is_farewell(line) ? after::leave : after::another;
    // Nobody is there to hear it, and nobody need be.
    const bool unheard = away_ && (desk_.is_typed() || visits_ > 0);
    if (next == after::leave && unheard) co_return next;
    const bool fits = co_await await_room(line.size());
    if (here.cancelled()) co_return after::cancelled;
    if (!fits) {
        desk_.complain(
            fmt::format("{} bytes wait to be sent, which is all that is kept: this line "
                        "is not sent; press Up to have it again",
                        unsent_bytes_));
        co_return next;
    }
    remember_request(line);
    unsent_bytes_ += line.size();
    unsent_.push_back(std::move(line));
    ring();
    co_return next;
}

/// Lines that are piped in wait; lines that are typed do not, for the keyboard has to be heard.
coro::task<bool> chat_client::await_room(std::size_t size) {
    while (unsent_bytes_ + size > options_.most_kept && !unsent_.empty()) {
        if (desk_.is_typed()) co_return false;
        const auto room = co_await room_.receive();
        if (!room) co_return false;
    }
    co_return true;
}

void chat_client::remember_request(std::string_view line) {
    const auto word_after = [line](std::string_view command) {
        auto word = line.substr(command.size());
        word.remove_prefix(std::min(word.find_first_not_of(' '), word.size()));
        return std::string{word.substr(0, word.find(' '))};
    };
    if (line.starts_with(ask_for_name)) asked_nick_ = word_after(ask_for_name);
    if (line.starts_with(ask_for_room)) asked_room_ = word_after(ask_for_room);
}

void chat_client::leave() noexcept {
    leaving_ = true;
    ring();
}

void chat_client::ring() noexcept {
    // A bell that rings already is enough.
    static_cast<void>(bell_.try_send(0));
}

std::string chat_client::why(cut how) const {
    switch (how) {
        case cut::they_closed: return "the server closed the connection";
        case cut::lost:
            return fmt::format("the server is gone: the connection broke ({})", trouble_.message());
        case cut::message_too_long:
            return fmt::format(
                "the server sent a line longer than {} bytes, the limit "
                "(--max-line): leaving",
                options_.max_line);
        case cut::screen_failed:
            return fmt::format("cannot write to standard output ({}): leaving", trouble_.message());
        case cut::we_left:
        case cut::interrupted: break;
    }
    return {};
}

/// What the end means, and says it.
chat_end chat_client::conclude(cut how) {
    if (stops_ > 0) return chat_end::stopped;
    if (keyboard_trouble_) {
        desk_.complain(
            fmt::format("cannot read your input ({}): leaving", keyboard_trouble_->message()));
        return chat_end::failed;
    }
    if (const auto reason = why(how); !reason.empty()) desk_.complain(reason);
    if (how == cut::message_too_long || how == cut::screen_failed) return chat_end::failed;
    if (how == cut::we_left) return chat_end::left;
    if (!unsent_.empty()) {
        desk_.complain(fmt::format("{} you entered last could not be sent", lines(unsent_.size())));
        return chat_end::server_gone;
    }
    return how == cut::interrupted ? chat_end::left : chat_end::server_gone;
}

}  // namespace sluice::chat
