// The world of talk: echoing servers, and clients that speak in turn.
#include <fmt/format.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/talk/conversation.hpp"
#include "sluice/term/terminal_ui.hpp"
#include "tests/worlds/server.hpp"
#include "tests/worlds/waiting.hpp"
#include "tests/worlds/worlds.hpp"

namespace sluice::worlds {
namespace {

using namespace std::chrono_literals;

// A message that does not come, or an answer that is not read, ends a conversation after this long.
constexpr auto idle_time = 2s;

coro::task<void> echo_to(model::session& client) {
    term::terminal_ui ui{[](std::string_view) {}, {}};
    talk::conversation talk{client.peer(),
                            "client",
                            ui,
                            {.framing = wire::framing::line, .echo = true, .idle_time = idle_time}};
    static_cast<void>(co_await talk.run(talk::beginner::they, client.drain_context()));
}

/// A client, and how far it has come.
struct talker {
    std::size_t number = 0;
    unsigned wanted = 1;  ///< whole conversations
    unsigned had = 0;     ///< of them
};

/// Sends `text` in one to three pieces.
bool send_in_pieces(stage& s, plain_client& to, std::string_view text) {
    while (!text.empty()) {
        const auto n = s.chance().chance(0.3)
                           ? 1 + static_cast<std::size_t>(s.chance().below(text.size()))
                           : text.size();
        if (!to.send(text.substr(0, n))) return false;
        text.remove_prefix(n);
    }
    return true;
}

/// One conversation. True if it came to its end; false if something broke it. What must not be,
/// whatever breaks, fails the world.
bool converse(stage& s, const talker& who, unsigned which) {
    // Longer than the server waits for a client that fell silent.
    auto socket = plain_client::connect(usual_port, 2 * idle_time);
    if (!socket) return false;
    const auto messages = s.chance().between(0, 5);
    for (std::int64_t i = 0; i < messages; ++i) {
        const std::string text =
            fmt::format("{}/{}/{} {}", who.number, which, i,
                        std::string(static_cast<std::size_t>(s.chance().below(200)), 'x'));
        if (!send_in_pieces(s, *socket, text + "\n")) return false;
        const auto answer = socket->line();
        // A server that waited for idle_time in vain, or that stops, takes its leave.
        if (!answer || *answer == "exit") return false;
        s.require(*answer == text, fmt::format("client {} sent '{}' and was answered '{}'",
                                               who.number, text, *answer));
        if (s.chance().chance(0.02)) {
            socket->reset();
            return false;
        }
    }
    if (!send_in_pieces(s, *socket, "exit\n")) return false;
    const auto rest = socket->some();
    if (!rest) return false;
    // It may have taken its leave before it read ours.
    s.require(rest->empty() || std::string_view{"exit\n"}.starts_with(*rest),
              fmt::format("client {} was told '{}' after its exit", who.number, *rest));
    return true;
}

void be_client(stage& s, talker& who) {
    for (unsigned which = 0; who.had < who.wanted; ++which) {
        if (converse(s, who, which)) ++who.had;
        wait_a_while();
    }
}

}  // namespace

void talk(stage& s) {
    const server_shape shape = draw_shape(s);
    sim::process& server =
        s.start("server", [&] { serve(s, shape, {{.port = usual_port, .serve = &echo_to}}); });
    std::vector<std::unique_ptr<talker>> clients;
    std::vector<sim::process*> processes;
    for (std::size_t i = 0, all = s.draw_clients(1, 4); i < all; ++i) {
        clients.push_back(std::make_unique<talker>(
            talker{.number = i, .wanted = static_cast<unsigned>(s.chance().log_uniform(1, 20))}));
        processes.push_back(&s.start(fmt::format("client {}", i),
                                     [&s, &who = *clients.back()] { be_client(s, who); }));
    }
    s.pass(s.draw_time(20s));
    s.heal(processes);
    const auto unfinished = [&] {
        std::string names;
        for (const auto& each : clients) {
            if (each->had < each->wanted && s.is_in_core(*processes[each->number])) {
                names +=
                    fmt::format("client {} ({} of {}) ", each->number, each->had, each->wanted);
            }
        }
        return names;
    };
    s.within(
        30s, "every client ends its conversations", [&] { return unfinished().empty(); },
        unfinished);
    stop_and_check(s, server, shape);
}

}  // namespace sluice::worlds
