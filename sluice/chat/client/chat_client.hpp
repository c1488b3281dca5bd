// Defines chat_client: sends typed lines to a chat server, shows its lines, and reconnects.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/auth/credentials.hpp"
#include "sluice/base/result.hpp"
#include "sluice/chat/client/chat_ui.hpp"
#include "sluice/coro/channel.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/net/address.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/net/framed.hpp"
#include "sluice/tls/client_context.hpp"
#include "sluice/wire/framing.hpp"

namespace sluice::chat {

/// How a run of the client ended.
enum class chat_end : std::uint8_t {
    left,         ///< the user left, and all lines were sent
    server_gone,  ///< the server was not reached, or closed the connection
    failed,       ///< an error on this side, or a line of the server over the limit
    stopped,      ///< stop() was called
};

struct chat_client_options {
    wire::framing framing = wire::framing::automatic;
    std::size_t max_line = std::size_t{64} * 1024;  ///< the longest message of the server, in bytes
    std::string nick;                               ///< requested after connecting, if not empty
    std::string room;                               ///< joined after connecting, if not empty
    tls::client_context* over = nullptr;            ///< outlives the client; null: in the clear
    std::optional<auth::credentials> login = {};    ///< said to the server before all else
    bool reconnect = false;
    io::duration first_pause = std::chrono::milliseconds{500};  ///< before the first reconnect
    io::duration longest_pause = std::chrono::seconds{30};      ///< upper limit of the pauses
    std::size_t most_kept = std::size_t{64} * 1024;  ///< bytes of lines that wait to be sent
};

/// Runs a chat until the user, the server or a caller ends it. Waits for keyboard, server and
/// timers at the same time, so its engine must not block. Thread of that engine.
///
/// The lines `exit` and `/quit` (unless pasted with others) and the end of input leave: the client
/// sends its queue, closes its sending side, and shows the server's lines until the server closes
/// or is silent for a second. A client that lost its connection reconnects if `reconnect` is set,
/// after growing pauses, with the name and the room that the server last granted; it queues lines
/// typed meanwhile, up to a bound, and sends them then.
class chat_client {
 public:
    /// Tries `addresses`, all of one host, in order. `ui` outlives the client.
    chat_client(io::engine& engine, std::vector<net::address> addresses, chat_ui& ui,
                chat_client_options o);
    chat_client(const chat_client&) = delete;
    chat_client& operator=(const chat_client&) = delete;
    ~chat_client();

    /// Runs until the chat ends. Once.
    [[nodiscard]] coro::task<chat_end> run();

    /// The engine's thread, also before run(). The first call leaves, within half a second; the
    /// second cancels everything.
    void stop() noexcept;

 private:
    /// Cancels the current session.
    struct stop_timer : io::timer {
        explicit stop_timer(chat_client& c) noexcept;
        chat_client& owner;
    };
    /// How a session ended.
    enum class session_end : std::uint8_t {
        we_left,
        they_closed,
        lost,  // the connection failed
        message_too_long,
        screen_failed,
        interrupted,
    };
    /// The next step of read_input() after a line.
    enum class after : std::uint8_t { another, leave, cancelled };
    struct session;

    coro::task<chat_end> run_sessions();
    coro::task<result<std::unique_ptr<net::connection>>> connect();
    coro::task<result<std::unique_ptr<net::connection>>> open(unique_fd socket);
    result<std::unique_ptr<net::connection>> give_up(const std::string& what, error why,
                                                     bool is_final);
    void note_connected();
    coro::task<session_end> run_session(net::connection& server);
    coro::task<void> receive_lines(session& s);
    coro::task<void> send_lines(session& s);
    void drop_first();
    coro::task<result<void>> send_identity(session& s);
    static coro::task<result<void>> send_line(session& s, std::string_view line);
    coro::task<result<void>> separate_messages(session& s);
    coro::task<void> wait_for_close(session& s);
    coro::task<void> retry_name(session& s);
    coro::task<void> read_input();
    coro::task<after> enter(std::string line);
    coro::task<bool> wait_for_space(std::size_t size);

    [[nodiscard]] bool track_grants(session& s, std::string_view line);
    void remember_request(std::string_view line);
    void leave() noexcept;
    [[nodiscard]] chat_end conclude(session_end how);
    [[nodiscard]] std::string why(session_end how) const;
    [[nodiscard]] io::duration next_pause() noexcept;
    void wake() noexcept;

    io::engine& engine_;
    std::vector<net::address> addresses_;
    chat_ui& ui_;
    chat_client_options options_;
    net::address reached_;
    std::optional<coro::context> root_;
    std::optional<coro::context> connect_context_;  // of connecting and the pause before it
    std::optional<coro::context> session_context_;  // of the current session
    stop_timer timeout_;

    std::deque<std::string> unsent_;
    std::size_t unsent_bytes_ = 0;
    coro::channel<char> wakeup_{1};  // there is a line to send, or the client leaves
    coro::channel<char> space_{1};   // there is space in unsent_
    std::string nick_;               // to request after the next connect
    std::string room_name_;
    std::string asked_nick_;  // requested and not granted yet
    std::string asked_room_;
    unsigned sessions_ = 0;
    unsigned failures_ = 0;  // attempts to connect, and short sessions, in a row
    unsigned stops_ = 0;
    bool leaving_ = false;
    error error_ = fault::ended;
    std::optional<error> keyboard_error_;
};

}  // namespace sluice::chat
