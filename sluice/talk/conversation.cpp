// Implements conversation: turns, reading ahead of a turn, and the closing exchange.
#include "sluice/talk/conversation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <new>
#include <utility>

#include "sluice/base/sometimes.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::talk {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view exit_word = "exit";

// Messages read ahead of their turn; the rest stays in the kernel's buffer and holds the peer up.
constexpr std::size_t max_unread = 64;

// For the last message to be sent to a peer that may not read.
constexpr auto last_message_timeout = 500ms;
// For the peer to close after the last message, ours or its own: input after our close(2) makes the
// kernel send a reset, which can overtake what we have said.
constexpr auto short_drain = 250ms;
// For a peer that is still sending a message over the limit.
constexpr auto long_drain = 5s;
constexpr auto long_drain_pause = 500ms;
constexpr std::size_t max_drained = std::size_t{256} * 1024 * 1024;

// A raw message still has its line end, if it came with one.
bool is_exit(std::string_view text) noexcept {
    return wire::without_line_end(text) == exit_word;
}

}  // namespace

conversation::conversation(net::connection& peer, std::string name, term::terminal_ui& ui,
                           conversation_options options)
    : peer_{peer},
      name_{std::move(name)},
      ui_{ui},
      options_{options},
      messages_{peer, options.framing, options.max_line, wire::sender::person} {
    peer_.set_nodelay();
}

coro::task<parting> conversation::run(beginner first, coro::context& turns) {
    auto alternating = take_turns(first);
    alternating.set_context(turns);
    const parting how = co_await alternating;
    report(how);
    co_await send_last_message(how);
    co_await peer_.close();
    co_return how;
}

coro::task<parting> conversation::take_turns(beginner first) {
    is_our_turn_ = first == beginner::we;
    if (!is_our_turn_) {
        messages_.refuse_other_protocols();
        if (auto over = co_await show(fmt::format("[{}] connected", name_), {})) co_return *over;
    }
    for (;; is_our_turn_ = !is_our_turn_) {
        auto turn = is_our_turn_ ? our_turn() : their_turn();
        if (const auto over = co_await turn) co_return *over;
    }
}

coro::task<conversation::outcome> conversation::their_turn() {
    if (unread_.empty() && !ended_) {
        // Not in the condition: g++ 12 never begins a coroutine that has no variable and awaits in
        // a condition.
        const auto received =
            co_await receive_next(io::after(io::clock::now(), options_.idle_time));
        if (!received) {
            sometimes(rare_path::talk_idle, received.error() == fault::timed_out);
            co_return received.error() == fault::timed_out ? parting::they_keep_silent
                                                           : parting::interrupted;
        }
    }
    if (unread_.empty()) co_return peer_end();
    last_message_ = std::move(unread_.front());
    unread_.pop_front();
    unread_bytes_ -= last_message_.size();
    if (is_exit(last_message_)) co_return parting::they_said_exit;
    co_return co_await show(fmt::format("[{}]: ", name_), wire::without_line_end(last_message_));
}

coro::task<conversation::outcome> conversation::show(std::string prefix, std::string_view text) {
    auto shown = co_await ui_.show(prefix, text);
    if (shown) co_return std::nullopt;
    if (shown.error() == fault::cancelled) co_return parting::interrupted;
    // Lack of memory ends this conversation; the console is not at fault.
    if (shown.error().is(ENOMEM)) throw std::bad_alloc{};
    error_ = shown.error();
    co_return parting::screen_failed;
}

coro::task<conversation::outcome> conversation::our_turn() {
    // An empty answer needs at least one byte, or the peer waits for it forever.
    if (options_.echo) {
        co_return co_await send(last_message_,
                                messages_.answers_terminated() || last_message_.empty());
    }
    for (;;) {
        if (auto over = co_await await_line()) co_return over;
        const auto line = **typed_;
        if (!line) co_return parting::input_ended;
        if (*line == exit_word) co_return parting::we_said_exit;
        const bool terminated = messages_.answers_terminated();
        if (!line->empty() || terminated) co_return co_await send(*line, terminated);
        ui_.report_event("an empty message has no bytes to send without a line end; type another");
    }
}

coro::task<conversation::outcome> conversation::await_line() {
    typed_.reset();
    ui_.prompt();
    coro::scope turn{co_await coro::this_context()};
    // The keyboard comes first: a line that is already there is sent even if the peer has closed
    // its side, because the peer may still read.
    if (auto reads = turn.spawn(read_line(turn)); !reads) typed_ = failure(reads.error());
    if (!typed_ && !peer_.engine().blocks()) static_cast<void>(turn.spawn(read_ahead(turn)));
    co_await turn.join();
    if (typed_ && *typed_) co_return std::nullopt;
    if (typed_ && typed_->error().is(ENOMEM)) throw std::bad_alloc{};
    if (typed_) {
        error_ = typed_->error();
        co_return parting::keyboard_failed;
    }
    if (!peer_is_done()) co_return parting::interrupted;
    co_return unread_.empty() ? peer_end() : parting::they_said_exit;
}

coro::task<void> conversation::read_line(coro::scope& turn) {
    auto line = co_await ui_.next_line();
    if (!line && line.error() == fault::cancelled) co_return;
    typed_ = line;
    turn.cancel();
}

coro::task<void> conversation::read_ahead(coro::scope& turn) {
    while (!ended_ && unread_.size() < max_unread && unread_bytes_ < options_.max_line) {
        const auto received = co_await receive_next(io::never);
        if (!received) co_return;
    }
    if (peer_is_done()) turn.cancel();
}

/// Waits for the peer's next message or its end. fault::timed_out, fault::cancelled.
coro::task<result<void>> conversation::receive_next(io::time_point until) {
    for (;;) {
        auto found = messages_.buffered();
        if (messages_.take_timing_mark()) {
            // The next read reports why this cannot be sent.
            static_cast<void>(co_await peer_.send_all(wire::timing_mark()));
        }
        if (!is_our_turn_) {
            // As above.
            const auto end = missing_end();
            if (!end.empty()) static_cast<void>(co_await peer_.send_all(end));
        }
        if (found && !*found && !messages_.ended()) {
            auto more = co_await io::with_deadline(peer_.engine(), messages_.more(), until);
            if (!more && (more.error() == fault::cancelled || more.error() == fault::timed_out)) {
                co_return more;
            }
            if (more) continue;
            found = failure(more.error());
        }
        if (found && *found) {
            unread_.emplace_back((*found)->text);
            unread_bytes_ += unread_.back().size();
            received_ += unread_.back().size();
        } else {
            ended_ = found ? result<void>{} : failure(found.error());
            sometimes(rare_path::talk_broken_stream, !found);
        }
        co_return result<void>{};
    }
}

/// The newline that our last message lacks, once the peer has shown that it reads lines.
std::string_view conversation::missing_end() noexcept {
    const bool end = unterminated_ && messages_.answers_terminated();
    if (end) unterminated_ = false;
    return wire::message_end(end);
}

coro::task<conversation::outcome> conversation::send(std::string_view text, bool terminated) {
    out_.assign(missing_end());
    wire::append_framed(out_, text, terminated);
    unterminated_ = !terminated;
    mid_message_ = true;
    auto sent = co_await io::with_deadline(peer_.engine(), peer_.send_all(out_),
                                           io::after(io::clock::now(), options_.idle_time));
    mid_message_ = !sent;
    if (sent) sent_ += out_.size();
    if (sent) co_return std::nullopt;
    if (sent.error() == fault::timed_out) {
        // Drops the bytes that the peer does not read from the kernel's send buffer.
        peer_.set_linger_reset();
        co_return parting::they_keep_silent;
    }
    if (sent.error() == fault::cancelled) co_return parting::interrupted;
    ended_ = failure(sent.error());
    co_return parting::they_went_away;
}

coro::task<void> conversation::send_last_message(parting how) {
    const bool message_too_long = how == parting::they_talk_long;
    // After a part of another message, the last message would not be recognised.
    if (how == parting::they_went_away || how == parting::they_are_strangers || mid_message_) {
        co_return;
    }
    if (how != parting::they_said_exit) {
        out_.assign(missing_end());
        wire::append_framed(
            out_,
            message_too_long ? fmt::format("error: message longer than {} bytes", options_.max_line)
                             : exit_word,
            messages_.answers_terminated());
        const auto sent =
            co_await io::with_timeout(peer_.engine(), peer_.send_all(out_), last_message_timeout);
        if (!sent) co_return;
        sent_ += out_.size();
    }
    co_await peer_.end_sending();
    co_await drain(message_too_long);
}

coro::task<void> conversation::drain(bool message_too_long) {
    io::engine& engine = peer_.engine();
    const auto until = io::after(io::clock::now(), message_too_long ? long_drain : short_drain);
    for (std::size_t drained = 0; drained < max_drained;) {
        const auto pause = io::after(io::clock::now(), long_drain_pause);
        auto got = co_await io::with_deadline(engine, peer_.recv(), std::min(until, pause));
        if (!got || got->empty()) co_return;
        drained += got->bytes().size();
        // A read that completes at once does not check the deadline.
        if (io::clock::now() >= until) co_return;
    }
}

parting conversation::peer_end() const noexcept {
    if (!*ended_ && is_other_protocol(ended_->error())) return parting::they_are_strangers;
    const bool too_long = !*ended_ && ended_->error() == fault::message_too_long;
    return too_long ? parting::they_talk_long : parting::they_went_away;
}

/// True if the peer has ended and no message but an `exit` is unread.
bool conversation::peer_is_done() const noexcept {
    return ended_ && (unread_.empty() || is_exit(unread_.front()));
}

void conversation::report(parting how) const {
    switch (how) {
        case parting::they_said_exit:
            return ui_.report_event(fmt::format("[{}] ended the conversation", name_));
        case parting::we_said_exit: return ui_.report_event("you ended the conversation");
        case parting::input_ended:
            return ui_.report_event("your input is at its end: you ended the conversation");
        case parting::they_went_away:
            return ui_.report_error(fmt::format(
                "[{}] went away during {} turn, without 'exit'{}", name_,
                is_our_turn_ ? "your" : "its own",
                *ended_ ? std::string{} : fmt::format(" ({})", ended_->error().message())));
        case parting::they_are_strangers:
            return ui_.report_error(
                fmt::format("[{}] has to go: {}", name_, ended_->error().message()));
        case parting::they_talk_long:
            return ui_.report_error(
                fmt::format("[{}] sent a message longer than {} bytes, the limit (--max-line): "
                            "the conversation is over",
                            name_, options_.max_line));
        case parting::they_keep_silent:
            return ui_.report_error(fmt::format(
                "[{}] said or read nothing for {} s (--idle-time): the conversation is over", name_,
                std::chrono::duration<double>{options_.idle_time}.count()));
        case parting::keyboard_failed:
            return ui_.report_error(fmt::format(
                "cannot read your input ({}): the conversation is over", error_.message()));
        case parting::screen_failed:
            return ui_.report_error(
                fmt::format("cannot write to standard output ({}): the conversation is over",
                            error_.message()));
        case parting::interrupted: return;
    }
}

namespace {

std::string_view reason_of(parting how) noexcept {
    switch (how) {
        case parting::they_said_exit:
        case parting::we_said_exit:
        case parting::input_ended: break;
        case parting::they_went_away: return "lost";
        case parting::they_talk_long: return "message too long";
        case parting::keyboard_failed:
        case parting::screen_failed: return "no terminal";
        case parting::they_are_strangers: return "another protocol";
        case parting::they_keep_silent: return "idle";
        case parting::interrupted: return "stopped";
    }
    return {};
}

}  // namespace

model::access_event access_of(const conversation& ended, parting how) noexcept {
    return {.kind = model::access_kind::conversation,
            .reason = reason_of(how),
            .received = ended.received(),
            .sent = ended.sent()};
}

}  // namespace sluice::talk
