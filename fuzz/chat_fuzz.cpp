// A member of a chat under any bytes and any split: it is answered the same, and another member
// hears the same, in lines that a terminal does not obey.
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "fuzz/door.hpp"
#include "sluice/base/check.hpp"
#include "sluice/chat/server/chat_service.hpp"
#include "sluice/wire/telnet.hpp"
#include "sluice/wire/text.hpp"

namespace {

using namespace sluice;

chat::limits small_limits(wire::framing mode) {
    return {.framing = mode,
            .window = std::size_t{16} << 10,
            .history = 3,
            .max_line = 200,
            .max_rooms = 4,
            .max_private = std::size_t{16} << 10,
            .rate = 0,
            .command_rate = 0,
            // Longer than any member takes to say all that it says.
            .introduction = std::chrono::minutes{1}};
}

struct outcome {
    std::string answered;  ///< to the member
    std::string heard;     ///< by the other one, in the room where all begin
    friend bool operator==(const outcome&, const outcome&) = default;
};

outcome attend(wire::framing mode, fuzz::pieces says) {
    outcome o;
    fuzz::play([&](worlds::stage& s) {
        sim::process& server = s.start("server", [&] {
            chat::chat_service service{{.allowed = small_limits(mode)}};
            fuzz::serve(s, {.state = service.state()});
        });
        auto witness = fuzz::connect();
        worlds::stage::require(witness.send("/nick witness\n"), "nobody listens");
        // Its join is announced before anybody else is there.
        s.pass(std::chrono::milliseconds{200});
        auto member = fuzz::connect();
        o.answered = fuzz::converse(s, member, std::move(says));
        o.heard = fuzz::converse(s, witness, fuzz::pieces{{.bytes = "exit\n"}});
        worlds::stop_and_check(s, server, {});
    });
    return o;
}

void check_lines(std::string text) {
    // The answer to a telnet that asks for it.
    for (auto at = text.find(wire::timing_mark()); at != std::string::npos;
         at = text.find(wire::timing_mark(), at)) {
        text.erase(at, wire::timing_mark().size());
    }
    std::erase(text, '\n');
    check(wire::is_printable(text), "lines that a terminal obeys");
}

}  // namespace

/// The fourth bit of the first byte: lines alone, instead of what the client is seen to speak.
void sluice::fuzz::examine(std::string_view input) {
    const bool lines = !input.empty() && (static_cast<unsigned char>(input.front()) & 8U) != 0;
    const auto mode = lines ? wire::framing::line : wire::framing::automatic;
    const auto seen = same_for_any_split(
        stream::of(input), [mode](pieces says) { return attend(mode, std::move(says)); },
        most_pieces);
    check_lines(seen.heard);
    check_lines(seen.answered);
}
