// Turns, what happens beside them, and the way out.
#include "sluice/talk/conversation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <new>
#include <utility>

#include "sluice/io/deadline.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::talk {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view exit_word = "exit";

// What is read ahead of its turn; the rest waits in the kernel, and the peer with it.
constexpr std::size_t most_kept = 64;

// The last word has to get out, but nobody waits long for a peer that does not read.
constexpr auto last_word_time = 500ms;
// After it we wait for the peer to close: what would still come makes the kernel answer with a
// reset, which could overtake the last word.
constexpr auto short_drain = 250ms;
// One who is in the middle of a long message has that to finish first.
constexpr auto long_drain = 5s;
constexpr auto long_drain_pause = 500ms;
constexpr std::size_t most_drained = std::size_t{256} * 1024 * 1024;

// What is shown, and compared: a raw message still has its line end if there was one.
bool is_exit(std::string_view text) noexcept {
    return wire::without_line_end(text) == exit_word;
}

}  // namespace

conversation::conversation(net::connection& peer, std::string name, desk& here,
                           conversation_options o)
    : peer_{peer},
      name_{std::move(name)},
      desk_{here},
      options_{o},
      messages_{peer, o.framing, o.max_line, wire::sender::person} {
    peer_.send_promptly();
}

coro::task<parting> conversation::run(beginner first, coro::context& turns) {
    auto talking = take_turns(first);
    talking.set_context(turns);
    const parting how = co_await talking;
    explain(how);
    co_await say_goodbye(how);
    co_await peer_.close();
    co_return how;
}

coro::task<parting> conversation::take_turns(beginner first) {
    ours_ = first == beginner::we;
    if (!ours_) {
        if (auto over = co_await show(fmt::format("[{}] connected", name_), {})) co_return *over;
    }
    for (;; ours_ = !ours_) {
        auto turn = ours_ ? our_turn() : their_turn();
        if (const auto over = co_await turn) co_return *over;
    }
}

coro::task<conversation::outcome> conversation::their_turn() {
    if (kept_.empty() && !ended_) {
        // Not in the condition: g++ 12 never begins a coroutine that has no variable and awaits in
        // a condition.
        const auto kept = co_await keep_next(io::after(io::clock::now(), options_.idle_time));
        if (!kept) {
            co_return kept.error() == fault::timed_out ? parting::they_keep_silent
                                                       : parting::interrupted;
        }
    }
    if (kept_.empty()) co_return how_they_ended();
    heard_ = std::move(kept_.front());
    kept_.pop_front();
    kept_bytes_ -= heard_.size();
    if (is_exit(heard_)) co_return parting::they_said_exit;
    co_return co_await show(fmt::format("[{}]: ", name_), wire::without_line_end(heard_));
}

coro::task<conversation::outcome> conversation::show(std::string before, std::string_view text) {
    auto shown = co_await desk_.show(before, text);
    if (shown) co_return std::nullopt;
    if (shown.error() == fault::cancelled) co_return parting::interrupted;
    // That ends the conversation, not the screen.
    if (shown.error().is(ENOMEM)) throw std::bad_alloc{};
    trouble_ = shown.error();
    co_return parting::screen_failed;
}

coro::task<conversation::outcome> conversation::our_turn() {
    // An empty answer has to be some byte, or the peer would wait for it for ever.
    if (options_.echo) {
        co_return co_await say(heard_, messages_.answers_terminated() || heard_.empty());
    }
    for (;;) {
        if (auto over = co_await await_line()) co_return over;
        const auto line = **typed_;
        if (!line) co_return parting::input_ended;
        if (*line == exit_word) co_return parting::we_said_exit;
        const bool terminated = messages_.answers_terminated();
        if (!line->empty() || terminated) co_return co_await say(*line, terminated);
        desk_.note("an empty message has no bytes to send without a line end; type another");
    }
}

coro::task<conversation::outcome> conversation::await_line() {
    typed_.reset();
    desk_.prompt();
    coro::scope turn{co_await coro::this_context()};
    // The keyboard comes first: a line that is there already goes out even if the peer has closed
    // its side, for it may still be reading.
    if (auto reads = turn.spawn(read_line(turn)); !reads) typed_ = failure(reads.error());
    if (!typed_ && !peer_.home().blocks()) static_cast<void>(turn.spawn(read_ahead(turn)));
    co_await turn.join();
    if (typed_ && *typed_) co_return std::nullopt;
    if (typed_ && typed_->error().is(ENOMEM)) throw std::bad_alloc{};
    if (typed_) {
        trouble_ = typed_->error();
        co_return parting::keyboard_failed;
    }
    if (!left_nothing()) co_return parting::interrupted;
    co_return kept_.empty() ? how_they_ended() : parting::they_said_exit;
}

coro::task<void> conversation::read_line(coro::scope& turn) {
    auto line = co_await desk_.next_line();
    if (!line && line.error() == fault::cancelled) co_return;
    typed_ = line;
    turn.cancel();
}

coro::task<void> conversation::read_ahead(coro::scope& turn) {
    while (!ended_ && kept_.size() < most_kept && kept_bytes_ < options_.max_line) {
        const auto kept = co_await keep_next(io::never);
        if (!kept) co_return;
    }
    if (left_nothing()) turn.cancel();
}

/// Until there is another message of the peer's, or the end: fault::timed_out, fault::cancelled.
coro::task<result<void>> conversation::keep_next(io::time_point until) {
    for (;;) {
        auto found = messages_.here();
        if (messages_.take_timing_mark()) {
            // As below.
            static_cast<void>(co_await peer_.send_all(wire::timing_mark()));
        }
        if (!ours_) {
            // Why it cannot be sent, the next read tells.
            const auto due = late_end();
            if (!due.empty()) static_cast<void>(co_await peer_.send_all(due));
        }
        if (found && !*found && !messages_.ended()) {
            auto more = co_await io::with_deadline(peer_.home(), messages_.more(), until);
            if (!more && (more.error() == fault::cancelled || more.error() == fault::timed_out)) {
                co_return more;
            }
            if (more) continue;
            found = failure(more.error());
        }
        if (found && *found) {
            kept_.emplace_back((*found)->text);
            kept_bytes_ += kept_.back().size();
        } else {
            ended_ = found ? result<void>{} : failure(found.error());
        }
        co_return result<void>{};
    }
}

/// The end that our last message lacks, once the peer turns out to end its own.
std::string_view conversation::late_end() noexcept {
    const bool due = is_open_ && messages_.answers_terminated();
    if (due) is_open_ = false;
    return wire::message_end(due);
}

coro::task<conversation::outcome> conversation::say(std::string_view text, bool terminated) {
    out_.assign(late_end());
    wire::append_framed(out_, text, terminated);
    is_open_ = !terminated;
    mid_message_ = true;
    auto sent = co_await io::with_deadline(peer_.home(), peer_.send_all(out_),
                                           io::after(io::clock::now(), options_.idle_time));
    mid_message_ = !sent;
    if (sent) co_return std::nullopt;
    if (sent.error() == fault::timed_out) {
        // What it does not read, the kernel need not keep.
        peer_.reset_on_close();
        co_return parting::they_keep_silent;
    }
    if (sent.error() == fault::cancelled) co_return parting::interrupted;
    ended_ = failure(sent.error());
    co_return parting::they_went_away;
}

coro::task<void> conversation::say_goodbye(parting how) {
    const bool patient = how == parting::they_talk_long;
    const bool gone = how == parting::they_said_exit || how == parting::they_went_away;
    // A word glued to a piece of another message would not be understood.
    if (gone || mid_message_) co_return;
    out_.assign(late_end());
    wire::append_framed(
        out_,
        patient ? fmt::format("error: message longer than {} bytes", options_.max_line) : exit_word,
        messages_.answers_terminated());
    const auto sent = co_await io::with_timeout(peer_.home(), peer_.send_all(out_), last_word_time);
    if (!sent) co_return;
    peer_.finish_sending();
    co_await drain(patient);
}

coro::task<void> conversation::drain(bool patient) {
    io::engine& home = peer_.home();
    const auto until = io::after(io::clock::now(), patient ? long_drain : short_drain);
    for (std::size_t drained = 0; drained < most_drained;) {
        const auto pause = io::after(io::clock::now(), long_drain_pause);
        auto got = co_await io::with_deadline(home, peer_.recv(), std::min(until, pause));
        if (!got || got->empty()) co_return;
        drained += got->bytes().size();
        // Data that keeps coming would keep the deadline from being looked at.
        if (io::clock::now() >= until) co_return;
    }
}

parting conversation::how_they_ended() const noexcept {
    const bool too_long = !*ended_ && ended_->error() == fault::message_too_long;
    return too_long ? parting::they_talk_long : parting::they_went_away;
}

/// Nothing will come any more that would make it worth waiting for our line.
bool conversation::left_nothing() const noexcept {
    return ended_ && (kept_.empty() || is_exit(kept_.front()));
}

void conversation::explain(parting how) const {
    switch (how) {
        case parting::they_said_exit:
            return desk_.note(fmt::format("[{}] ended the conversation", name_));
        case parting::we_said_exit: return desk_.note("you ended the conversation");
        case parting::input_ended:
            return desk_.note("your input is at its end: you ended the conversation");
        case parting::they_went_away:
            return desk_.complain(fmt::format(
                "[{}] went away during {} turn, without 'exit'{}", name_,
                ours_ ? "your" : "its own",
                *ended_ ? std::string{} : fmt::format(" ({})", ended_->error().message())));
        case parting::they_talk_long:
            return desk_.complain(
                fmt::format("[{}] sent a message longer than {} bytes, the limit (--max-line): "
                            "the conversation is over",
                            name_, options_.max_line));
        case parting::they_keep_silent:
            return desk_.complain(fmt::format(
                "[{}] said or read nothing for {} s (--idle-time): the conversation is over", name_,
                std::chrono::duration<double>{options_.idle_time}.count()));
        case parting::keyboard_failed:
            return desk_.complain(fmt::format(
                "cannot read your input ({}): the conversation is over", trouble_.message()));
        case parting::screen_failed:
            return desk_.complain(
                fmt::format("cannot write to standard output ({}): the conversation is over",
                            trouble_.message()));
        case parting::interrupted: return;
    }
}

}  // namespace sluice::talk
