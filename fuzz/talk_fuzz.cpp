// A conversation of talk under any bytes and any split: each message comes back, until one is
// `exit`.
#include <cstddef>
#include <string>
#include <string_view>

#include "fuzz/door.hpp"
#include "sluice/base/check.hpp"
#include "sluice/talk/conversation.hpp"
#include "sluice/term/terminal_ui.hpp"

namespace sluice::fuzz::talk_target {
namespace {

constexpr std::size_t max_line = 200;

coro::task<void> echo_to(model::session& client, wire::framing mode) {
    term::terminal_ui ui{[](std::string_view) {}, {}};
    talk::conversation talk{
        client.peer(), "client", ui, {.framing = mode, .max_line = max_line, .echo = true}};
    static_cast<void>(co_await talk.run(talk::beginner::they, client.drain_context()));
}

}  // namespace

/// The fourth bit of the first byte: lines alone, instead of what the client is seen to speak.
void examine(std::string_view input) {
    const bool lines = !input.empty() && (static_cast<unsigned char>(input.front()) & 8U) != 0;
    const auto mode = lines ? wire::framing::line : wire::framing::automatic;
    const auto said = stream::of(input);
    const auto heard = same_for_any_split(said, [mode](const stream& says) {
        const auto echo = [mode](model::session& client) { return echo_to(client, mode); };
        return ask([&](worlds::stage& s) { serve(s, {.serve = echo}); }, says);
    });
    check(heard.size() <= said.bytes.size() + std::string_view{"exit\n"}.size(),
          "more came back than was said");
}

}  // namespace sluice::fuzz::talk_target
