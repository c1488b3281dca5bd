// Defines conversation, which exchanges messages with one peer strictly in turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/model/access_log.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/net/framed.hpp"
#include "sluice/term/terminal_ui.hpp"
#include "sluice/wire/framing.hpp"

namespace sluice::talk {

/// How a conversation ended.
enum class parting : std::uint8_t {
    they_said_exit,
    we_said_exit,
    input_ended,         ///< our input had ended when our turn came: the same as our exit
    they_went_away,      ///< the peer closed or reset the connection without an exit
    they_talk_long,      ///< a message of the peer was over the limit
    keyboard_failed,     ///< a line of ours could not be read
    screen_failed,       ///< a message of the peer could not be shown
    they_are_strangers,  ///< the peer speaks HTTP or TLS
    they_keep_silent,    ///< the peer sent no message, or did not read ours, within idle_time
    interrupted,         ///< the turns were cancelled
};

struct conversation_options {
    wire::framing framing = wire::framing::automatic;
    /// The longest message of either side, in bytes, its line end not counted.
    std::size_t max_line = std::size_t{64} * 1024;
    /// Answers each message with itself instead of with a line from the UI.
    bool echo = false;
    /// How long the peer may take to send a message, and to read one of ours.
    io::duration idle_time = io::duration::max();
};

/// The side that sends the first message.
enum class beginner : std::uint8_t { we, they };

/// Exchanges messages with one peer. The message `exit` from either side ends the conversation. An
/// engine that does not block notices at once that the peer leaves while a line is awaited, and
/// keeps messages that come out of turn, up to a bound beyond which it does not read. The blocking
/// engine notices both at the next use of the connection.
///
/// Shows in the terminal UI the peer's messages, how the conversation ended, and, if the peer
/// begins, that it has connected. Thread of the connection's engine.
class conversation {
 public:
    /// `name` is shown for the peer: "Client 127.0.0.1:40123". The references outlive the
    /// conversation.
    conversation(net::connection& peer, std::string name, term::terminal_ui& ui,
                 conversation_options options);

    /// Takes turns in the context `turns`, sends the last message, unless the peer's `exit` was it,
    /// waits a moment for the peer's end, and closes the connection. Once `turns` is cancelled, it
    /// still sends `exit`, in the caller's context. Returns at most 1 s after the last turn (6
    /// s if the peer was sending a message over the limit).
    [[nodiscard]] coro::task<parting> run(beginner first, coro::context& turns);

    /// Bytes of the messages that have come from the peer, and of those sent to it.
    [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
    [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }

 private:
    using outcome = std::optional<parting>;  // none: the conversation continues

    coro::task<parting> take_turns(beginner first);
    coro::task<outcome> their_turn();
    coro::task<outcome> show(std::string prefix, std::string_view text);
    coro::task<outcome> our_turn();
    coro::task<outcome> await_line();
    coro::task<void> read_line(coro::scope& turn);
    coro::task<void> read_ahead(coro::scope& turn);
    coro::task<result<void>> receive_next(io::time_point until);
    [[nodiscard]] std::string_view missing_end() noexcept;
    coro::task<outcome> send(std::string_view text, bool terminated);
    coro::task<void> send_last_message(parting how);
    coro::task<void> drain(bool message_too_long);

    [[nodiscard]] parting peer_end() const noexcept;
    [[nodiscard]] bool peer_is_done() const noexcept;
    void report(parting how) const;

    net::connection& peer_;
    std::string name_;
    term::terminal_ui& ui_;
    conversation_options options_;
    net::framed<net::connection> messages_;

    std::deque<std::string> unread_;  // received ahead of their turn
    std::size_t unread_bytes_ = 0;
    std::uint64_t received_ = 0;
    std::uint64_t sent_ = 0;
    std::optional<result<void>> ended_;  // end of stream, or the error that ended it
    std::string last_message_;
    std::optional<result<std::optional<std::string_view>>> typed_;
    std::string out_;
    error error_ = fault::ended;  // of the terminal UI
    bool is_our_turn_ = false;
    bool mid_message_ = false;   // a part of a message may have been sent
    bool unterminated_ = false;  // our last message was sent without a newline
};

/// Its event in the access log, but for who the peer is.
[[nodiscard]] model::access_event access_of(const conversation& ended, parting how) noexcept;

}  // namespace sluice::talk
