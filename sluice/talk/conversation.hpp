// One conversation with one peer: strictly in turn, until somebody ends it.
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
#include "sluice/net/connection.hpp"
#include "sluice/net/framed.hpp"
#include "sluice/term/desk.hpp"
#include "sluice/wire/framing.hpp"

namespace sluice::talk {

/// How a conversation ended.
enum class parting : std::uint8_t {
    they_said_exit,
    we_said_exit,
    input_ended,       ///< our input was at its end when it was our turn: the same as our exit
    they_went_away,    ///< closed or reset without an exit
    they_talk_long,    ///< a message of theirs was over the limit
    keyboard_failed,   ///< a line of ours could not be read
    screen_failed,     ///< what they said could not be shown
    they_keep_silent,  ///< no message of theirs, or no room for ours, came within idle_time
    interrupted,       ///< the turns were cancelled
};

struct conversation_options {
    wire::framing framing = wire::framing::automatic;
    /// The longest message, theirs or ours, in bytes, its end not counted.
    std::size_t max_line = std::size_t{64} * 1024;
    /// Answers with what was said instead of asking at the desk.
    bool echo = false;
    /// How long the peer may take for a message of its own, and how long to read one of ours.
    io::duration idle_time = io::duration::max();
};

/// Who says the first word.
enum class beginner : std::uint8_t { we, they };

/// Talks with one peer. The word `exit`, as a message, ends the conversation from either side. On
/// an engine that does not block, a peer that leaves while a line is awaited is noticed at once;
/// what it says out of turn is kept for its turns, up to a bound beyond which it is not read. On
/// the blocking engine both are noticed at the next use.
///
/// Shows at the desk that a peer who begins is there, and what the peer says; remarks how it ended.
/// Thread of the connection's engine.
class conversation {
 public:
    /// `name` stands for the peer in what is shown: "Client 127.0.0.1:40123". All that is passed
    /// by reference outlives the conversation.
    conversation(net::connection& peer, std::string name, desk& here, conversation_options o);

    /// Takes turns in the context `turns`, says goodbye, and closes the connection. When `turns` is
    /// cancelled the peer is still told `exit`, in the caller's context. Never longer than a second
    /// (six, if the peer was sending a message that is too long) after the last turn.
    [[nodiscard]] coro::task<parting> run(beginner first, coro::context& turns);

 private:
    using outcome = std::optional<parting>;  // none: the conversation goes on

    coro::task<parting> take_turns(beginner first);
    coro::task<outcome> their_turn();
    coro::task<outcome> show(std::string before, std::string_view text);
    coro::task<outcome> our_turn();
    coro::task<outcome> await_line();
    coro::task<void> read_line(coro::scope& turn);
    coro::task<void> read_ahead(coro::scope& turn);
    coro::task<result<void>> keep_next(io::time_point until);
    [[nodiscard]] std::string_view late_end() noexcept;
    coro::task<outcome> say(std::string_view text, bool terminated);
    coro::task<void> say_goodbye(parting how);
    coro::task<void> drain(bool patient);

    [[nodiscard]] parting how_they_ended() const noexcept;
    [[nodiscard]] bool left_nothing() const noexcept;
    void explain(parting how) const;

    net::connection& peer_;
    std::string name_;
    desk& desk_;
    conversation_options options_;
    net::framed<net::connection> messages_;

    std::deque<std::string> kept_;  // said and not yet heard
    std::size_t kept_bytes_ = 0;
    std::optional<result<void>> ended_;  // nothing more will come: the end, or an error
    std::string heard_;
    std::optional<result<std::optional<std::string_view>>> typed_;
    std::string out_;
    error trouble_ = fault::ended;  // what the desk, or sending, ran into
    bool ours_ = false;             // whose turn it is
    bool mid_message_ = false;      // a part of a message may have gone out
    bool is_open_ = false;          // our last message went out without an end
};

}  // namespace sluice::talk
