// Implements the plain members of a simulated chat.
#include "tests/worlds/chat_members.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <span>
#include <utility>

#include "sluice/base/bytes.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::worlds {
namespace {

using namespace std::chrono_literals;

constexpr auto connect_patience = 2000ms;
// A member asks the server this often who it is, and calls again if there is no answer.
constexpr auto question_interval = 1 * sim::a_second;
constexpr auto answer_patience = 3 * sim::a_second;
// After the end of all faults, when no member that reads has a reason to lose its connection.
constexpr auto aftermath = 15 * sim::a_second;

}  // namespace

void chat_member::live() {
    while (!scene_.leaving) {
        socket_ = plain_client::connect(scene_.port, connect_patience);
        if (socket_) sit();
        wait_a_while();
    }
}

void chat_member::sit() {
    auto& chance = scene_.s.chance();
    me_ = &scene_.record.add('m');
    witness_.begin(*me_);
    received_.clear();
    asked_room_.clear();
    next_question_ = scene_.record.now() + question_interval;
    if (chance.chance(0.3)) os::sleep_for(std::chrono::milliseconds{chance.between(1, 120)});
    introduce();
    while (socket_) {
        if (scene_.leaving || (!scene_.healed() && chance.chance(manner_.restless))) {
            leave_in_order();
            break;
        }
        const auto pause =
            scene_.healed() ? scene_.pause_after_healing().count() : chance.between(5, 400);
        read_until(scene_.record.now() + pause * sim::a_millisecond);
        if (socket_ && waited_too_long()) hang_up();
        if (!socket_) break;
        if (scene_.quiet) {
            if (is_asked_to_speak()) say_some(1);
            continue;
        }
        if (scene_.record.now() >= next_question_) ask_who_it_is();
        if (socket_) act();
    }
    socket_.reset();
    leave();
}

/// A name and a room, in one write or several, or neither.
void chat_member::introduce() {
    auto& chance = scene_.s.chance();
    const char* end = manner_.crlf ? "\r\n" : "\n";
    std::string text;
    if (chance.chance(0.9)) {
        witness_.asks_name(me_->own_name);
        text += fmt::format("/nick {}{}", me_->own_name, end);
    }
    const auto& room = scene_.rooms[chance.below(scene_.rooms.size())];
    if (room != scene_.rooms.front()) {
        witness_.asks_room(room);
        asked_room_ = room;
        text += fmt::format("/join {}{}", room, end);
    }
    witness_.asks_who_it_is();
    send(text + "/nick" + end);
}

bool chat_member::waited_too_long() const noexcept {
    return reads_promptly() && witness_.waits_since() < scene_.record.now() - answer_patience;
}

std::string chat_member::room_of_lines() const {
    // One that never reads is where it asked to be.
    if (manner_.reads != reading::never) return witness_.room();
    return asked_room_.empty() ? scene_.rooms.front() : asked_room_;
}

void chat_member::act() {
    if (manner_.reads != reading::never && !witness_.settled()) return;
    auto& chance = scene_.s.chance();
    if (scene_.healed() || manner_.reads == reading::never) return say_some(1);
    const auto what = chance.below(100);
    if (what < 60) return say_some(chance.between(1, manner_.most_lines));
    if (what < 68) return move();
    if (what < 78) {
        const auto& names = alike[chance.below(alike.size())];
        return be_called(chance.chance(0.5) ? me_->own_name
                                            : std::string{names[chance.below(names.size())]});
    }
    if (what < 84) return send_line("/who");
    if (what < 88) return send_line("/rooms");
    if (what < 94) return whisper();
    if (what < 97) return say_too_much();
    send_line("");
}

/// Lines in one go, pipelined.
void chat_member::say_some(std::int64_t lines) {
    constexpr std::array forms{"", "", "", "/say ", "/me "};
    auto& chance = scene_.s.chance();
    std::string text;
    for (; lines > 0; --lines) {
        const std::string_view form = forms[chance.below(forms.size())];
        text += form;
        text += scene_.record.say(*me_, room_of_lines(), scene_.longest - form.size());
        text += manner_.crlf ? "\r\n" : "\n";
    }
    send(text);
}

void chat_member::move() {
    const auto& room = scene_.rooms[scene_.s.chance().below(scene_.rooms.size())];
    if (room == witness_.room()) return;
    witness_.asks_room(room);
    send_line(fmt::format("/join {}", room));
    if (socket_) ask_who_it_is();
}

void chat_member::be_called(const std::string& name) {
    witness_.asks_name(name);
    send_line(fmt::format("/nick {}", name));
    if (socket_) ask_who_it_is();
}

void chat_member::whisper() {
    const auto& all = scene_.record.speakers();
    const speaker& to = all[scene_.s.chance().below(all.size())];
    send_line(fmt::format("/msg {} W{} to {}", to.own_name, me_->number, to.own_name));
}

void chat_member::say_too_much() {
    witness_.says_too_much();
    send_line(std::string(scene_.longest + 1, 'o'));
}

void chat_member::ask_who_it_is() {
    next_question_ = scene_.record.now() + question_interval;
    if (manner_.reads == reading::never) return;
    witness_.asks_who_it_is();
    send_line("/nick");
}

void chat_member::send_line(std::string_view line) {
    send(fmt::format("{}{}", line, manner_.crlf ? "\r\n" : "\n"));
}

/// In one to four pieces, with pauses between some. After half a line the connection is not ended
/// in order, for the server would take it for a message.
void chat_member::send(std::string_view text) {
    auto& chance = scene_.s.chance();
    while (socket_ && !text.empty()) {
        const auto n = chance.chance(0.3) ? 1 + static_cast<std::size_t>(chance.below(text.size()))
                                          : text.size();
        if (!socket_->send(text.substr(0, n))) return hang_up();
        text.remove_prefix(n);
        if (!text.empty() && chance.chance(0.3)) {
            os::sleep_for(std::chrono::milliseconds{chance.between(1, 60)});
        }
    }
}

void chat_member::hang_up() {
    socket_->reset();
    socket_.reset();
}

void chat_member::read_until(sim::virtual_time until) {
    constexpr std::size_t all = 16'384;
    constexpr std::size_t a_bite = 200;
    if (manner_.reads != reading::promptly) {
        os::sleep_for(std::chrono::nanoseconds{until - scene_.record.now()});
        if (manner_.reads == reading::slowly) static_cast<void>(read_some(a_bite));
        return;
    }
    while (socket_ && scene_.record.now() < until) {
        if (read_some(all)) continue;
        if (!socket_) return;
        const auto left = until - scene_.record.now();
        if (left <= 0) return;
        const timespec timeout = os::timespec_of(std::chrono::nanoseconds{left});
        std::array<pollfd, 1> watched{{{.fd = socket_->fd(), .events = POLLIN, .revents = 0}}};
        static_cast<void>(os::sys().ppoll(watched, &timeout));
    }
}

/// False if nothing has come, or the connection is over.
bool chat_member::read_some(std::size_t most) {
    std::array<std::byte, 16'384> piece;
    const auto n = socket_->receive(std::span{piece}.first(most));
    if (n > 0) {
        received_ += as_text(std::span{piece}.first(static_cast<std::size_t>(n)));
        hear_all();
        return true;
    }
    if (n == -EAGAIN || n == -EINTR) return false;
    const bool may_end = scene_.leaving || scene_.stopping || witness_.was_told_to_go() ||
                         !scene_.healed() || !reads_promptly() ||
                         !scene_.s.is_in_core(scene_.s.kernel().current()) ||
                         scene_.record.now() < scene_.healed_at + aftermath;
    scene_.s.require(may_end, fmt::format("speaker {}, who reads, has lost its connection ({})",
                                          me_->number, n));
    socket_.reset();
    return false;
}

void chat_member::hear_all() {
    std::size_t at = 0;
    for (auto end = received_.find('\n'); end != std::string::npos;
         end = received_.find('\n', at)) {
        witness_.hear(std::string_view{received_}.substr(at, end - at));
        at = end + 1;
    }
    received_.erase(0, at);
}

/// Says goodbye in its manner, and reads on until the server closes.
void chat_member::leave_in_order() {
    constexpr auto close_patience = 5 * sim::a_second;
    if (manner_.ends == ending::resets) return hang_up();
    if (manner_.ends == ending::quits) send_line("/quit");
    if (manner_.ends == ending::exits) send_line("exit");
    if (socket_ && manner_.ends == ending::half_closes) socket_->shut();
    if (manner_.ends == ending::closes || manner_.reads == reading::never) return;
    const auto until = scene_.record.now() + close_patience;
    while (socket_ && scene_.record.now() < until) {
        read_until(std::min(until, scene_.record.now() + 50 * sim::a_millisecond));
    }
}

void flood_chat(chat_scene& scene, std::size_t number, bool reads) {
    constexpr std::array commands{"/who",
                                  "/rooms",
                                  "/nick",
                                  "/help",
                                  "/nick alice",
                                  "/msg nobody at all",
                                  "/there is no",
                                  "/me \xff\xf4\x01\xf5",
                                  "\xff\xfd\x06\x02\xc3"};
    auto& chance = scene.s.chance();
    const std::string name = fmt::format("f{}", number);
    scene.record.know(name);
    for (; !scene.leaving; wait_a_while()) {
        auto socket = plain_client::connect(scene.port, connect_patience);
        bool connected = socket && socket->send(fmt::format("/join f{}\n", chance.below(3)));
        while (connected && !scene.leaving) {
            std::string text;
            for (auto left = scene.quiet ? 0 : chance.below(scene.healed() ? 5 : 60); left > 0;
                 --left) {
                const auto which = chance.below(commands.size() + 2);
                if (which < commands.size()) {
                    text += commands[which];
                } else if (which == commands.size()) {
                    text += fmt::format("/join f{}", chance.below(3));
                } else {
                    text += fmt::format("/nick {}", name);
                }
                text += '\n';
            }
            connected = text.empty() || socket->send(text);
            os::sleep_for(std::chrono::milliseconds{chance.between(1, 300)});
            std::array<std::byte, 16'384> piece;
            while (connected && reads) {
                const auto n = socket->receive(piece);
                if (n == 0 || (n < 0 && n != -EAGAIN && n != -EINTR)) connected = false;
                if (n <= 0) break;
            }
        }
        if (socket) socket->reset();
    }
}

}  // namespace sluice::worlds
