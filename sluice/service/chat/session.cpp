// Reads lines, says them, and cleans up behind the member.
#include "sluice/service/chat/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/io/deadline.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/net/lingering_close.hpp"
#include "sluice/net/pause.hpp"
#include "sluice/service/chat/commands.hpp"
#include "sluice/service/chat/throttle.hpp"
#include "sluice/wire/framing.hpp"
#include "sluice/wire/size.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::service::chat {
namespace {

using namespace std::chrono_literals;

// How long a member that leaves may take to read its last lines.
constexpr auto parting_time = 2s;

/// Cuts what a member sends into lines and does what they say. No coroutine, so that all a member
/// costs while it is silent is what stands here.
class ear {
 public:
    ear(hub& h, member& m)
        : hub_{h},
          member_{m},
          reader_{h.allowed().framing, h.allowed().max_line, wire::sender::person} {
        if (h.allowed().rate > 0) throttle_ = std::make_unique<throttle>(h.allowed(), now());
    }

    /// When to take what has come for a message although its end has not.
    [[nodiscard]] io::time_point patience() const noexcept {
        return net::end_of_pause(reader_.awaited(), member_.fd());
    }
    /// How long the member has to wait before it is listened to again.
    [[nodiscard]] io::duration held_back() const noexcept {
        constexpr io::duration moment = 1ms;
        return hub_.crowded() ? std::max(held_back_, moment) : held_back_;
    }

    /// False if the member goes: it has said so, or broken a limit, or its end of the connection is
    /// over. After a held_back(), go_on() comes before the next hear().
    [[nodiscard]] bool hear(const result<io::lease>& got) {
        if (got && !got->empty()) {
            reader_.feed(own_copy(got->text()));
        } else if (got) {
            // After a reset that a send heard of, the stream only seems to end here.
            if (member_.broken()) return false;
            ended_ = true;
            reader_.finish();
        } else if (got.error() == fault::timed_out) {
            reader_.end_pause();
        } else {
            return false;
        }
        return go_on();
    }
    [[nodiscard]] bool go_on() {
        held_back_ = {};
        if (throttle_ && throttle_->waiting) {
            const auto text = *throttle_->waiting;
            if (!may_speak(text)) return !member_.dismissed();
            throttle_->waiting.reset();
            if (!hear_lines(text)) return leave();
        }
        for (;;) {
            const auto found = reader_.next();
            member_.want_newlines(reader_.answers_terminated());
            if (!found) {
                ++hub_.counted().too_long;
                member_.dismiss(fmt::format("* you have to go: a line has at most {} here",
                                            wire::format_size(hub_.allowed().max_line)));
                return false;
            }
            if (!*found) return !ended_ && !member_.dismissed();
            const auto text = (*found)->text;
            if (!may_speak(text)) return !member_.dismissed();
            if (!hear_lines(text)) return leave();
        }
    }

 private:
    [[nodiscard]] io::time_point now() const noexcept { return hub_.home().now(); }

    std::string_view own_copy(std::string_view text) {
        if (!throttle_) return text;
        throttle_->held.assign(text);
        return throttle_->held;
    }
    /// False if `text` has to wait for held_back().
    bool may_speak(std::string_view text) {
        if (!throttle_) return true;
        held_back_ = throttle_->take(hub_.allowed(), now());
        if (held_back_ == io::duration{}) {
            throttle_->charge(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')));
            return true;
        }
        ++hub_.counted().held_back;
        throttle_->waiting = text;
        return false;
    }
    bool leave() {
        member_.dismiss("* goodbye");
        return false;
    }
    /// A message of a peer without framing may be several lines.
    bool hear_lines(std::string_view text) {
        for (;;) {
            const auto end = text.find('\n');
            auto line = text.substr(0, end);
            if (end != std::string_view::npos && line.ends_with('\r')) line.remove_suffix(1);
            if (!hear_line(line)) return false;
            if (end == std::string_view::npos || end + 1 == text.size()) return true;
            text.remove_prefix(end + 1);
        }
    }
    bool hear_line(std::string_view line) {
        if (line.empty()) {
            ++hub_.counted().empty_lines;
            return true;
        }
        if (line == "exit") return false;
        if (line.front() == '/') return command(hub_, member_, line);
        say(line);
        return true;
    }
    void say(std::string_view text) {
        auto& counted = hub_.counted();
        ++counted.messages;
        counted.message_bytes += text.size();
        std::string valid;
        std::string harmless;
        if (!wire::is_printable(text)) {
            valid = wire::replace_invalid_utf8(text);
            text = wire::printable(valid, harmless);
        }
        const std::string& name = member_.name();
        hub_.say(member_, author::speaking(member_.id()), {"[", name, "]: ", text, "\n"});
        hub_.show({"[", name, "]: ", text, "\n"});
    }

    hub& hub_;
    member& member_;
    wire::frame_reader reader_;
    std::unique_ptr<throttle> throttle_;
    io::duration held_back_{};
    bool ended_ = false;
};

/// Names the newcomer, greets it, and puts it into the lobby. False if it cannot stay.
bool welcome(hub& h, const net::connection& peer, member& m) {
    if (!h.farewell().empty()) {
        m.dismiss(h.farewell());
        return false;
    }
    auto who = h.people().admit(h.index(), h.allowed().max_clients);
    if (!who) {
        ++h.counted().refused;
        m.dismiss("* this server is full; try again later");
        return false;
    }
    m.call(who->id, std::move(who->name));
    m.tell(fmt::format("* welcome, you are {} in {} ({} here); /help says what you can do",
                       m.name(), lobby, h.people().members_of(lobby) + 1));
    h.add(m);
    if (!h.enter(m, lobby)) {
        ++h.counted().refused;
        h.remove(m);
        h.people().remove(m.name());
        m.dismiss("* this server has no memory left; try again later");
        return false;
    }
    const auto from = peer.peer();
    h.show({"<< ", m.name(), " connected from ",
            from ? from->to_string() : std::string{"an address that is gone"}, " >>\n"});
    return true;
}

void part(hub& h, member& m) {
    h.leave(m);
    h.remove(m);
    h.people().remove(m.name());
    h.show({"<< ", m.name(), " disconnected >>\n"});
}

/// What waits for the member goes out, if it takes it soon. It ends the connection first, if it
/// does soon, so that no reset overtakes its last lines.
coro::task<void> see_off(net::connection& peer, member& m) {
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

coro::task<void> hold_back(io::engine& home, io::duration d) {
    co_await io::sleep_for(home, d);
}

}  // namespace

coro::task<void> serve_member(hub& h, unique_fd socket, model::address_limit::permit /*permit*/) {
    net::connection peer{h.home(), std::move(socket)};
    peer.send_promptly();
    member m{h, peer};
    m.want_newlines(h.allowed().framing != wire::framing::raw);
    if (welcome(h, peer, m)) {
        ear heard{h, m};
        bool stays = true;
        while (stays) {
            auto got = co_await io::with_deadline(h.home(), peer.recv(), heard.patience());
            stays = heard.hear(got);
            got = {};
            while (stays && heard.held_back() != io::duration{}) {
                co_await hold_back(h.home(), heard.held_back());
                stays = !(co_await coro::this_context()).cancelled() && heard.go_on();
            }
        }
        // Its room has to stay for as long as it reads there; the server's grace ends that.
        if (m.is_seen_out()) static_cast<void>(co_await m.rest_sent());
        part(h, m);
    }
    co_await see_off(peer, m);
    m.shut();
    co_await peer.close();
}

}  // namespace sluice::service::chat
