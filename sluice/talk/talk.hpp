// Defines talk_server and talk_client: the two ends of a conversation between two people.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "sluice/auth/line_login.hpp"
#include "sluice/base/owned_counter.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/model/access_log.hpp"
#include "sluice/net/address.hpp"
#include "sluice/net/listener.hpp"
#include "sluice/net/network.hpp"
#include "sluice/talk/conversation.hpp"
#include "sluice/term/terminal_ui.hpp"
#include "sluice/tls/handshake.hpp"

namespace sluice::talk {

/// How a talk ended; maps to an exit status.
enum class talk_end : std::uint8_t {
    done,       ///< either side sent `exit`, or our input ended
    peer_gone,  ///< the peer could not be reached, or went away
    failed,     ///< an error on this side, or a message of the peer over the limit
    stopped,    ///< stop() was called
};

/// Serves one client at a time; the client sends the first message. Other clients wait in the
/// listener's backlog. Thread of the listener's engine.
class talk_server {
 public:
    struct options {
        conversation_options conversation{};
        /// Accepts the next client after each conversation, as long as the terminal UI can still
        /// read and show.
        bool keep = false;
        /// How long a conversation may continue after stop().
        io::duration grace = std::chrono::seconds{5};
        tls::door over{};        ///< without a context: in the clear
        auth::line_door door{};  ///< asks clients who they are
        /// As model::server_options.
        std::vector<net::network> trusted_proxies{};
        io::duration header_time = std::chrono::seconds{10};
        model::access_log* access = nullptr;  ///< outlives the server; null: none
    };

    /// `listener` accepts one connection at a time (io::accepting), so that the others wait in the
    /// backlog. Both references outlive the server.
    talk_server(net::listener& listener, term::terminal_ui& ui, options o);
    talk_server(const talk_server&) = delete;
    talk_server& operator=(const talk_server&) = delete;
    ~talk_server();

    /// Serves until the conversation is over or until stop(), then closes the listener. Once.
    [[nodiscard]] coro::task<talk_end> run();

    /// The engine's thread, also before run(). The first call stops accepting and sends the client
    /// `exit` after `grace`; the second call cancels everything.
    void stop() noexcept;

    /// Conversations begun so far. Any thread.
    [[nodiscard]] std::uint64_t conversations() const noexcept { return conversations_; }

 private:
    struct grace_timer : io::timer {
        explicit grace_timer(talk_server& s) noexcept;
        talk_server& owner;
    };

    coro::task<talk_end> serve();
    /// Who it is, without a name where none is asked for; null if it was turned away.
    [[nodiscard]] coro::task<auth::admission> let_in(net::connection& client,
                                                     net::address client_address);
    coro::task<std::optional<talk_end>> talk_with(net::connection& client,
                                                  net::address client_address,
                                                  std::string_view account);
    /// Whose connection it is. An error if it is of no use, which is reported.
    coro::task<result<net::address>> receive_address(int socket);

    net::listener& listener_;
    term::terminal_ui& ui_;
    options options_;
    grace_timer grace_;
    unsigned stops_ = 0;
    owned_counter conversations_;
    std::optional<coro::context> root_;
    std::optional<coro::context> accepting_;
    std::optional<coro::context> turns_;  // of the current conversation
};

/// Connects to a server and sends the first message. Thread of its engine.
class talk_client {
 public:
    /// Tries `addresses`, all of one host, in order, each once. `over` outlives the client; null:
    /// in the clear. `login` is said to the server before all else.
    talk_client(io::engine& engine, std::vector<net::address> addresses, term::terminal_ui& ui,
                conversation_options o, tls::client_context* over = nullptr,
                std::optional<auth::credentials> login = std::nullopt);
    talk_client(const talk_client&) = delete;
    talk_client& operator=(const talk_client&) = delete;
    ~talk_client() = default;

    /// Returns when the conversation is over, or after stop(). Once.
    [[nodiscard]] coro::task<talk_end> run();

    /// The engine's thread, also before run(). The first call sends the server `exit`; the second
    /// cancels everything.
    void stop() noexcept;

 private:
    coro::task<talk_end> talk();
    coro::task<result<std::unique_ptr<net::connection>>> connect();

    io::engine& engine_;
    std::vector<net::address> addresses_;
    term::terminal_ui& ui_;
    conversation_options options_;
    unsigned stops_ = 0;
    tls::client_context* over_;
    std::optional<auth::credentials> login_;
    net::address reached_;
    std::optional<coro::context> root_;
    std::optional<coro::context> turns_;  // of connecting and of the conversation
};

}  // namespace sluice::talk
