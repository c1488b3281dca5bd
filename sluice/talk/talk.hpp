// Conversations between two: one side waits for a client, the other one calls.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "sluice/coro/context.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/net/address.hpp"
#include "sluice/net/listener.hpp"
#include "sluice/talk/conversation.hpp"
#include "sluice/term/desk.hpp"

namespace sluice::talk {

/// How a talk ended, as the caller's caller wants to know it.
enum class talk_end : std::uint8_t {
    done,       ///< somebody said exit, or the input was at its end
    peer_gone,  ///< the other side could not be reached, or went away
    failed,     ///< something went wrong on this side, or the peer broke a rule
    stopped,    ///< stop() was called
};

/// Answers one client at a time; the client has the first word. Whoever else connects waits in the
/// backlog and is never accepted before. Thread of the listener's engine.
class talk_server {
 public:
    struct options {
        conversation_options conversation{};
        /// After a conversation take the next client, however it ended, as long as there is
        /// somebody at the desk who can answer.
        bool keep = false;
        /// How long a conversation may go on after stop().
        io::duration grace = std::chrono::seconds{5};
    };

    /// `door` accepts one by one (io::accepting), or the others do not wait in the backlog. Both
    /// outlive the server.
    talk_server(net::listener& door, desk& here, options o);
    talk_server(const talk_server&) = delete;
    talk_server& operator=(const talk_server&) = delete;
    ~talk_server();

    /// Serves until the conversation is over, or until stop(), and closes the door. Once.
    [[nodiscard]] coro::task<talk_end> run();

    /// The engine's thread, also before run(). The first time nobody else is accepted, and a
    /// conversation that goes on has `grace`; then the client is told `exit`. The second time
    /// everything ends at once.
    void stop() noexcept;

    /// Conversations that have begun. The engine's thread.
    [[nodiscard]] std::uint64_t conversations() const noexcept { return conversations_; }

 private:
    struct grace_timer : io::timer {
        explicit grace_timer(talk_server& s) noexcept;
        talk_server& owner;
    };

    coro::task<talk_end> serve();
    coro::task<std::optional<talk_end>> talk_with(net::connection& client, net::address who);

    net::listener& door_;
    desk& desk_;
    options options_;
    grace_timer grace_;
    unsigned stops_ = 0;
    std::uint64_t conversations_ = 0;
    std::optional<coro::context> everything_;
    std::optional<coro::context> arrivals_;
    std::optional<coro::context> turns_;  // of the conversation that goes on
};

/// Calls a server and has the first word. Thread of its engine.
class talk_client {
 public:
    /// Tries `where`, the addresses of one host, in order, each once.
    talk_client(io::engine& home, std::vector<net::address> where, desk& here,
                conversation_options o);
    talk_client(const talk_client&) = delete;
    talk_client& operator=(const talk_client&) = delete;
    ~talk_client() = default;

    /// Talks until the conversation is over, or until stop(). Once.
    [[nodiscard]] coro::task<talk_end> run();

    /// The engine's thread, also before run(). The first time the server is told `exit`; the second
    /// time everything ends at once.
    void stop() noexcept;

 private:
    coro::task<talk_end> talk();
    coro::task<result<unique_fd>> call();

    io::engine& home_;
    std::vector<net::address> where_;
    desk& desk_;
    conversation_options options_;
    unsigned stops_ = 0;
    net::address reached_;
    std::optional<coro::context> everything_;
    std::optional<coro::context> turns_;  // calling included
};

}  // namespace sluice::talk
