// Implements the input of chat_client: reads the user's lines into the queue of unsent ones.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "sluice/chat/client/chat_client.hpp"
#include "sluice/chat/client/commands.hpp"
#include "sluice/io/deadline.hpp"

namespace sluice::chat {
namespace {

using namespace std::chrono_literals;

// For a server that reads nothing while a typing user leaves.
constexpr auto typed_line_timeout = 2s;

}  // namespace

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
        ui_.report_error(
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

}  // namespace sluice::chat
