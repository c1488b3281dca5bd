// One function a command.
#include "sluice/service/chat/commands.hpp"

#include <fmt/format.h>

#include <array>
#include <string>
#include <vector>

#include "sluice/service/chat/names.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::service::chat {
namespace {

constexpr std::size_t most_listed = 100;
// In bytes: 32 characters of at most four.
constexpr std::size_t longest_name = 128;

std::string harmless(std::string_view text) {
    return wire::printable(wire::replace_invalid_utf8(text));
}

std::string_view trimmed(std::string_view text) noexcept {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

void nick(hub& h, member& m, std::string_view name) {
    if (name.empty()) {
        return m.tell(fmt::format("* you are {}; /nick NAME changes that", m.name()));
    }
    if (auto why = why_no_nick(name); !why.empty()) return m.tell("* no: " + why);
    std::string wanted{name};
    if (wanted == m.name()) return m.tell(fmt::format("* you are {} already", m.name()));
    if (!h.people().rename(m.name(), wanted)) {
        return m.tell(
            fmt::format("* the name {} is taken; choose another with /nick NAME", wanted));
    }
    h.say(m, author::announced(m.id()), {"* ", m.name(), " is now ", wanted, "\n"});
    h.show({"<< ", m.name(), " is now ", wanted, " >>\n"});
    m.rename(std::move(wanted));
    m.tell(fmt::format("* you are now {}", m.name()));
}

void join(hub& h, member& m, std::string_view name) {
    const std::string& now = m.where()->name();
    if (name.empty()) {
        return m.tell(fmt::format("* you are in {}; /join ROOM takes you to another room", now));
    }
    if (auto why = why_no_room(name); !why.empty()) return m.tell("* no: " + why);
    const std::string wanted{name};
    if (now == wanted) return m.tell(fmt::format("* you are in {} already", wanted));
    if (!h.people().may_open(wanted, h.allowed().max_rooms)) {
        return m.tell("* no: this server has as many rooms as it may; /rooms lists them");
    }
    m.tell(
        fmt::format("* you are in room {} ({} here)", wanted, h.people().members_of(wanted) + 1));
    if (!h.enter(m, wanted))
        m.tell(fmt::format("* no: {} cannot be opened; you are in {}", wanted, m.where()->name()));
}

/// `all` things, the first of which are `shown`.
std::string listed(const std::vector<std::string>& shown, std::size_t all) {
    std::string line = fmt::format("{}", fmt::join(shown, ", "));
    if (all > shown.size()) line += fmt::format(" and {} more", all - shown.size());
    return line;
}

void who(hub& h, member& m) {
    const std::string& room = m.where()->name();
    const std::size_t all = h.people().members_of(room);
    m.tell(fmt::format("* in {} ({}): {}", room, all,
                       listed(h.people().names_in(room, most_listed), all)));
}

void rooms(hub& h, member& m) {
    std::vector<std::string> words;
    for (const auto& [name, members] : h.people().rooms(most_listed)) {
        words.push_back(fmt::format("{} ({})", name, members));
    }
    m.tell("* rooms: " + listed(words, h.people().room_count()));
}

void me(hub& h, member& m, std::string_view what) {
    if (what.empty()) return m.tell("* say what you do: /me waves");
    const std::string shown = harmless(what);
    ++h.counted().messages;
    h.say(m, author::speaking(m.id()), {"*", m.name(), " ", shown, "*\n"});
    h.show({"*", m.name(), " ", shown, "*\n"});
}

void message(hub& h, member& m, std::string_view rest) {
    if (rest.find(' ') == std::string_view::npos) {
        return m.tell("* say to whom and what: /msg NAME TEXT");
    }
    // Names may have spaces: the longest one that somebody has is meant.
    for (auto end = rest.rfind(' ', longest_name); end != std::string_view::npos && end > 0;
         end = rest.rfind(' ', end - 1)) {
        const auto to = h.people().find(rest.substr(0, end));
        if (!to) continue;
        h.whisper(*to,
                  fmt::format("[{} -> you]: {}", m.name(), harmless(trimmed(rest.substr(end)))));
        return m.tell(fmt::format("* told {}", to->name));
    }
    m.tell("* nobody here has that name; /who lists who is in this room");
}

void help(member& m) {
    constexpr std::array lines{
        "* /nick NAME        be called that",
        "* /join ROOM        go to another room",
        "* /who              who is in this room",
        "* /rooms            which rooms there are",
        "* /me TEXT          say what you do",
        "* /msg NAME TEXT    a line for one person",
        "* /quit, or exit    leave",
        "* anything else is said to the room",
    };
    for (const char* line : lines) m.tell(line);
}

}  // namespace

bool command(hub& h, member& m, std::string_view line) {
    ++h.counted().commands;
    const auto space = line.find(' ');
    const auto word = line.substr(0, space);
    const auto rest =
        space == std::string_view::npos ? std::string_view{} : trimmed(line.substr(space));
    if (word == "/quit") return false;
    if (word == "/nick") {
        nick(h, m, rest);
    } else if (word == "/join") {
        join(h, m, rest);
    } else if (word == "/who") {
        who(h, m);
    } else if (word == "/rooms") {
        rooms(h, m);
    } else if (word == "/me") {
        me(h, m, rest);
    } else if (word == "/msg") {
        message(h, m, rest);
    } else if (word == "/help") {
        help(m);
    } else {
        m.tell(fmt::format("* there is no {}; /help lists what there is",
                           harmless(wire::truncate_utf8(word, 40))));
    }
    return true;
}

}  // namespace sluice::service::chat
