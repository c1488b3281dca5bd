// A member of a chat under any bytes and any split: it is answered the same, and another member
// hears the same, in lines that a terminal does not obey.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "fuzz/door.hpp"
#include "sluice/base/check.hpp"
#include "sluice/chat/server/chat_service.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::fuzz::chat_target {
namespace {

chat::limits small_limits(wire::framing mode, std::size_t history) {
    return {.framing = mode,
            .window = std::size_t{16} << 10,
            .history = history,
            .max_line = 200,
            .max_rooms = 4,
            .max_private = std::size_t{16} << 10,
            .rate = 0,
            .command_rate = 0,
            // Longer than any member takes to say all that it says.
            .introduction = std::chrono::minutes{1}};
}

struct outcome {
    std::string answered;   ///< to the member: all that it receives, where it is shown no history
    std::string heard;      ///< by the other one, in the room where all begin
    std::string whispered;  ///< to the other one
    friend bool operator==(const outcome&, const outcome&) = default;
};

/// Whispers and replies have a queue of their own, and may overtake what is said in the room.
void sort_out(std::string_view text, outcome& o) {
    while (!text.empty()) {
        const auto line = text.substr(0, std::min(text.find('\n'), text.size() - 1) + 1);
        text.remove_prefix(line.size());
        // No name ends in this: names have no angle.
        const auto author = line.substr(0, line.find(']'));
        const bool is_whisper = line.starts_with('[') && author.ends_with(" -> you");
        (is_whisper ? o.whispered : o.heard) += line;
    }
}

outcome attend(const chat::limits& allowed, const fuzz::stream& says) {
    outcome o;
    fuzz::play([&](worlds::stage& s) {
        sim::process& server = s.start("server", [&] {
            chat::chat_service service{{.allowed = allowed}};
            fuzz::serve(s, {.state = service.state()});
        });
        auto witness = fuzz::connect();
        worlds::stage::require(witness.send("/nick witness\n"), "nobody listens");
        // It is named before anybody else is there.
        s.pass(std::chrono::milliseconds{200});
        auto member = fuzz::connect();
        o.answered = fuzz::converse(s, member, says);
        sort_out(fuzz::converse(s, witness, {.bytes = "exit\n"}), o);
        worlds::stop_and_check(s, server, {});
    });
    return o;
}

void check_lines(std::string text) {
    std::erase(text, '\n');
    check(wire::is_printable(text), "lines that a terminal obeys");
}

}  // namespace

/// Bit 3 of the first byte: lines alone, instead of what the client is seen to speak. Bit 4: rooms
/// have a history, of which a member that leaves at once is shown more or less.
void examine(std::string_view input) {
    const unsigned first = input.empty() ? 0 : static_cast<unsigned char>(input.front());
    const auto mode = (first & 8U) != 0 ? wire::framing::line : wire::framing::automatic;
    const std::size_t history = (first & 16U) != 0 ? 3 : 0;
    static_cast<void>(same_for_any_split(stream::of(input), [&](const stream& says) {
        auto seen = attend(small_limits(mode, history), says);
        check_lines(seen.heard);
        check_lines(seen.whispered);
        check_lines(seen.answered);
        if (history > 0) seen.answered.clear();
        return seen;
    }));
}

}  // namespace sluice::fuzz::chat_target
