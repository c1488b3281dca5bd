// Implements member_input: messages, commands, rate limits and the backlog.
#include "sluice/chat/server/member_input.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "sluice/base/sometimes.hpp"
#include "sluice/chat/server/commands.hpp"
#include "sluice/chat/server/moderation.hpp"
#include "sluice/net/pause.hpp"
#include "sluice/wire/size.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::chat {

using namespace std::chrono_literals;

member_input::member_input(hub& h, member& m)
    : hub_{h},
      member_{m},
      reader_{h.allowed().framing, h.allowed().max_line, wire::sender::person,
              wire::overlong::dropped},
      introduction_end_{io::after(now(), h.allowed().introduction)} {
    reader_.refuse_other_protocols();
}

io::time_point member_input::deadline() noexcept {
    // At the end of a pause, unterminated bytes become a message. The end of the introduction does
    // not restart a pause.
    if (std::exchange(pause_begins_, false)) {
        pause_until_ = net::end_of_pause(reader_.awaited(), member_.fd());
    }
    return member_.has_arrived() ? pause_until_ : std::min(pause_until_, introduction_end_);
}

void member_input::keep_chunk() {
    if (holds_chunk_) return;
    auto& held = make_backlog();
    std::string kept;
    kept.reserve(held.rest.size() + reader_.rest_of_chunk().size());
    kept.append(held.rest).append(reader_.rest_of_chunk());
    held.chunk = std::move(kept);
    const std::string_view all{held.chunk};
    reader_.move_rest_to(all.substr(held.rest.size()));
    held.rest = all.substr(0, held.rest.size());
    holds_chunk_ = true;
}

void member_input::drop_chunk() noexcept {
    holds_chunk_ = false;
    if (!backlog_) return;
    // Kept while it holds the time of the next notice.
    if (backlog_->next_notice == io::time_point{}) {
        backlog_.reset();
    } else {
        backlog_->chunk = {};
    }
}

bool member_input::feed(const result<io::lease>& got) {
    if (got && !got->empty()) {
        member_.count_received(got->bytes().size());
        reader_.feed(got->text());
    } else if (got) {
        // After a reset that a send has reported, recv() reports the end of the stream.
        if (member_.broken()) return false;
        ended_ = true;
        reader_.finish();
    } else if (got.error() == fault::timed_out) {
        if (!member_.has_arrived() && io::clock::now() >= introduction_end_) {
            hub_.arrive(member_);
            return !member_.dismissed();
        }
        reader_.end_pause();
    } else {
        return false;
    }
    pause_begins_ = true;
    return resume();
}

member_input::outcome member_input::handle_lines(std::string_view rest) {
    while (!rest.empty()) {
        const auto end = std::min(rest.find('\n'), rest.size() - 1) + 1;
        const auto line = wire::without_line_end(rest.substr(0, end));
        if (!may_carry_out(line)) {
            make_backlog().rest = rest;
            return outcome::held;
        }
        rest.remove_prefix(end);
        if (!handle_line(line)) return outcome::left;
        if (held_ == hold::login) {
            backlog_->rest = rest;
            return outcome::held;
        }
    }
    return outcome::done;
}

bool member_input::resume() {
    std::string_view rest;
    if (held_ == hold::turn || held_ == hold::login) rest = std::exchange(backlog_->rest, {});
    held_ = hold::none;
    for (;;) {
        switch (handle_lines(std::exchange(rest, {}))) {
            case outcome::done: break;
            case outcome::held: return !member_.dismissed();
            case outcome::left: return leave();
        }
        if (member_.broken() && waits_for_commands()) return false;
        if (!may_read_message()) return !member_.dismissed();
        const auto found = reader_.next();
        if (reader_.take_timing_mark()) member_.send_private(wire::timing_mark(), {});
        member_.want_newlines(reader_.answers_terminated());
        if (!found) {
            if (is_other_protocol(found.error())) return dismiss_stranger(found.error());
            if (found.error() != fault::message_too_long) return no_memory();
            too_long();
            continue;
        }
        if (!*found) return !ended_ && !member_.dismissed();
        // A message of a peer without framing may hold several lines.
        rest = (*found)->text;
        if (rest.empty()) ++hub_.counted().empty_lines;
    }
}

bool member_input::waits_for_commands() const noexcept {
    return !reader_.drained() &&
           command_throttle_.wait(hub_.pace_of_commands(), now()) > io::duration{};
}

bool member_input::may_read_message() {
    if (reader_.drained()) return true;
    const auto lines = line_throttle_.wait(hub_.pace_of_lines(), now());
    const auto commands = command_throttle_.wait(hub_.pace_of_commands(), now());
    if (lines == io::duration{} && commands == io::duration{}) return true;
    make_backlog().time = std::max(lines, commands);
    held_ = hold::time;
    ++hub_.counted().held_back;
    report_held_back(lines >= commands
                         ? fmt::format("{} lines", hub_.allowed().rate.get())
                         : fmt::format("{} commands", hub_.allowed().command_rate.get()));
    return false;
}

void member_input::report_held_back(std::string_view pace) {
    if (now() < backlog_->next_notice) return;
    backlog_->next_notice = io::after(now(), 1min);
    member_.send_private(
        fmt::format("* not so fast: this server takes {} a second from a member; yours "
                    "wait, and none is lost",
                    pace));
}

void member_input::too_long() {
    ++hub_.counted().too_long;
    charge_line();
    member_.send_private(fmt::format("* that was not said: a line has at most {} here; split it",
                                     wire::format_size(hub_.allowed().max_line)));
}

bool member_input::dismiss_stranger(error why) {
    ++hub_.counted().strangers;
    hub_.show({"<< ", member_.name(), " is sent away: ", why.message(), " >>\n"});
    member_.dismiss("* you have to go: this is a chat, of lines");
    return false;
}

bool member_input::no_memory() {
    member_.dismiss("* you have to go: this server has no memory left; try again later");
    return false;
}

bool member_input::leave() {
    member_.dismiss("* goodbye");
    return false;
}

bool member_input::may_carry_out(std::string_view line) noexcept {
    if (!line.starts_with('/') || text_of(line)) return true;
    if (std::exchange(granted_, false) || hub_.may_command()) return true;
    ++hub_.counted().put_off;
    sometimes(rare_path::chat_command_waits);
    held_ = hold::turn;
    return false;
}

bool member_input::handle_line(std::string_view line) {
    if (line.empty()) {
        ++hub_.counted().empty_lines;
        return true;
    }
    if (line == "exit") return false;
    if (!is_introduction(line)) hub_.arrive(member_);
    if (line.front() != '/') return say(line);
    if (const auto text = text_of(line)) return say(*text);
    is_message(line) ? charge_line() : charge_command();
    if (line.starts_with("/login ") && hub_.accounts() != nullptr) {
        log_in(line);
        return true;
    }
    return command(hub_, member_, line);
}

void member_input::log_in(std::string_view line) {
    ++hub_.counted().commands;
    auto said = auth::read_login(line);
    if (!said) return member_.send_private("* say /login NAME PASSWORD, or /login TOKEN");
    make_backlog().login = std::move(*said);
    held_ = hold::login;
}

bool member_input::say(std::string_view text) {
    charge_line();
    if (is_muted(hub_, member_)) return true;
    auto& counted = hub_.counted();
    ++counted.messages;
    counted.message_bytes += text.size();
    std::string valid;
    std::string shown;
    if (!wire::is_printable(text)) {
        valid = wire::replace_invalid_utf8(text);
        text = wire::printable(valid, shown);
    }
    const std::string& name = member_.name();
    hub_.say(member_, author::speaking(member_.id()), {"[", name, "]: ", text, "\n"});
    hub_.show({"[", name, "]: ", text, "\n"});
    return true;
}

}  // namespace sluice::chat
