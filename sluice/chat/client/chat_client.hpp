// The client of a chat: calls, says what is typed, shows what comes, and comes back when it is cut
// off.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/fd.hpp"
#include "sluice/base/result.hpp"
#include "sluice/chat/client/chat_desk.hpp"
#include "sluice/coro/channel.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/net/address.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/net/framed.hpp"
#include "sluice/wire/framing.hpp"

namespace sluice::chat {

/// How a visit to a chat ended.
enum class chat_end : std::uint8_t {
    left,         ///< we left, and all we said was sent
    server_gone,  ///< could not be reached, or ended the connection
    failed,       ///< something went wrong on this side, or the server broke a rule
    stopped,      ///< stop() was called
};

struct chat_client_options {
    wire::framing framing = wire::framing::automatic;
    std::size_t max_line = std::size_t{64} * 1024;  ///< the longest message of the server, in bytes
    std::string nick;                               ///< asked for on arrival, if not empty
    std::string room;                               ///< gone to on arrival, if not empty
    bool reconnect = false;
    io::duration first_pause = std::chrono::milliseconds{500};  ///< before it calls again
    io::duration longest_pause = std::chrono::seconds{30};      ///< what the pauses grow to
    std::size_t most_kept = std::size_t{64} * 1024;  ///< bytes of lines that wait to be sent
};

/// Talks in a chat until somebody ends it. Everything it waits for (keyboard, server, pauses) it
/// waits for at a time, so its engine is one that does not block. Thread of that engine.
///
/// `exit` and `/quit`, as lines (not among several that were pasted), and the end of input leave:
/// what is left is sent, then our side is closed, and what the server still says is shown, until it
/// closes or is silent for a second. Cut off, it calls again if it is to, after pauses that grow,
/// with the name and the room that the server last granted; what is typed meanwhile is kept, up to
/// a bound, and sent then.
class chat_client {
 public:
    /// Tries `where`, the addresses of one host, in order. `here` outlives the client.
    chat_client(io::engine& home, std::vector<net::address> where, chat_desk& here,
                chat_client_options o);
    chat_client(const chat_client&) = delete;
    chat_client& operator=(const chat_client&) = delete;
    ~chat_client();

    /// Once.
    [[nodiscard]] coro::task<chat_end> run();

    /// The engine's thread, also before run(). The first time it leaves, within half a second; the
    /// second time everything ends at once.
    void stop() noexcept;

 private:
    /// Cancels the visit that goes on.
    struct patience_timer : io::timer {
        explicit patience_timer(chat_client& c) noexcept;
        chat_client& owner;
    };
    /// Why nothing more is said on a connection, or nothing was.
    enum class cut : std::uint8_t {
        we_left,
        they_closed,
        lost,  // an error of the connection
        message_too_long,
        screen_failed,
        interrupted,
    };
    /// What follows a line that was entered.
    enum class after : std::uint8_t { another, leave, cancelled };
    struct visit;

    coro::task<chat_end> come_and_go();
    coro::task<result<unique_fd>> call();
    coro::task<cut> stay(unique_fd socket);
    coro::task<void> hear(visit& v);
    coro::task<void> say(visit& v);
    void drop_first();
    coro::task<result<void>> introduce(visit& v);
    static coro::task<result<void>> send_line(visit& v, std::string_view line);
    coro::task<result<void>> keep_apart(visit& v);
    coro::task<void> linger(visit& v);
    coro::task<void> ask_again(visit& v);
    coro::task<void> type();
    coro::task<after> enter(std::string line);
    coro::task<bool> await_room(std::size_t size);

    [[nodiscard]] bool learn(visit& v, std::string_view line);
    void remember_request(std::string_view line);
    void leave() noexcept;
    [[nodiscard]] chat_end conclude(cut how);
    [[nodiscard]] std::string why(cut how) const;
    [[nodiscard]] io::duration next_pause() noexcept;
    void ring() noexcept;

    io::engine& home_;
    std::vector<net::address> where_;
    chat_desk& desk_;
    chat_client_options options_;
    net::address reached_;
    std::optional<coro::context> everything_;
    std::optional<coro::context> away_;      // a call, or the pause before it
    std::optional<coro::context> visiting_;  // the visit that goes on
    patience_timer patience_;

    std::deque<std::string> unsent_;
    std::size_t unsent_bytes_ = 0;
    coro::channel<char> bell_{1};  // there is something to send, or to end
    coro::channel<char> room_{1};  // there is room in unsent_
    std::string nick_;             // what to ask for on the next arrival
    std::string room_name_;
    std::string asked_nick_;  // what was asked for and not granted yet
    std::string asked_room_;
    unsigned visits_ = 0;
    unsigned failures_ = 0;  // calls, and short visits, in a row
    unsigned stops_ = 0;
    bool leaving_ = false;
    error trouble_ = fault::ended;
    std::optional<error> keyboard_trouble_;
};

}  // namespace sluice::chat
