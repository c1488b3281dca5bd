// Implements the chat commands, one function per command.
#include "sluice/chat/server/commands.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "sluice/chat/server/moderation.hpp"
#include "sluice/chat/server/names.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::chat {
namespace {

constexpr std::size_t max_listed = 200;

std::string_view trimmed(std::string_view text) noexcept {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

void nick(hub& h, member& m, std::string_view name) {
    if (name.empty()) {
        return m.send_private(fmt::format("* you are {}; /nick NAME changes that", m.name()));
    }
    const auto wanted = judge_nick(name);
    if (!wanted) {
        ++h.counted().names_refused;
        return m.send_private("* no: " + wanted.error());
    }
    if (*wanted == m.name()) return m.send_private(fmt::format("* you are {} already", m.name()));
    if (const auto owner = h.accounts() != nullptr ? h.accounts()->owner_of(*wanted) : std::nullopt;
        owner && (m.account() == nullptr || m.account()->name != *owner)) {
        ++h.counted().names_refused;
        return m.send_private(
            fmt::format("* the name {} is kept for the account {}; its owner says /login {} "
                        "PASSWORD",
                        *wanted, *owner, *owner));
    }
    if (rename(h, m, *wanted)) m.send_private(fmt::format("* you are now {}", m.name()));
}

/// Whether `m` may enter a room by this password. It is told why not; guesses are slowed down.
bool knows_password(hub& h, member& m, const std::string& room, std::string_view password) {
    if (h.accounts() == nullptr || !h.people().has_password(room)) return true;
    if (h.accounts()->is_operator(m.account())) return true;
    const auto from = net::address::peer_of(m.fd());
    if (!from) return false;
    const auto key = auth::failure_key(*from);
    auto& guesses = h.accounts()->guesses();
    const auto now = h.engine().now();
    if (guesses.wait_of(key, now) > io::duration{}) {
        m.send_private("* no: too many wrong passwords from your address; try again in a minute");
        return false;
    }
    if (h.people().lets_in(room, password)) return true;
    if (password.empty()) {
        m.send_private(fmt::format("* {} asks for a password: /join {} PASSWORD", room, room));
        return false;
    }
    guesses.add_failure(key, now);
    m.send_private(fmt::format("* no: that is not the password of {}", room));
    return false;
}

void join(hub& h, member& m, std::string_view name) {
    const std::string& now = m.where()->name();
    if (name.empty()) {
        return m.send_private(
            fmt::format("* you are in {}; /join ROOM takes you to another room", now));
    }
    // A second word is a password where one is asked for, and a mistake elsewhere.
    const auto blank = std::min(name.find(' '), name.size());
    const auto password = trimmed(name.substr(blank));
    auto checked = judge_room(name.substr(0, blank));
    if (blank < name.size() && !(checked && h.people().has_password(*checked))) {
        checked = judge_room(name);
    }
    if (!checked) return m.send_private("* no: " + checked.error());
    const std::string& wanted = *checked;
    if (now == wanted) return m.send_private(fmt::format("* you are in {} already", wanted));
    if (!knows_password(h, m, wanted, password)) return;
    if (!h.people().may_open(wanted, h.allowed().max_rooms)) {
        ++h.counted().rooms_refused;
        return m.send_private("* no: this server has as many rooms as it may; /rooms lists them");
    }
    m.send_private(
        fmt::format("* you are in room {} ({} here)", wanted, h.people().members_of(wanted) + 1));
    if (h.enter(m, wanted)) return show_topic(h, m);
    ++h.counted().rooms_refused;
    m.send_private(
        fmt::format("* no: {} cannot be opened; you are in {}", wanted, m.where()->name()));
}

/// The names `shown`, and how many of `all` are missing.
std::string listed(const std::vector<std::string>& shown, std::size_t all) {
    std::string line = fmt::format("{}", fmt::join(shown, ", "));
    if (all > shown.size()) line += fmt::format(" and {} more", all - shown.size());
    return line;
}

void who(hub& h, member& m) {
    const std::string& room = m.where()->name();
    const std::size_t all = h.people().members_of(room);
    m.send_private(fmt::format("* in {} ({}): {}", room, all,
                               listed(h.people().names_in(room, max_listed), all)));
}

void rooms(hub& h, member& m) {
    std::vector<std::string> items;
    for (const auto& [name, members] : h.people().rooms(max_listed)) {
        items.push_back(fmt::format("{} ({})", name, members));
    }
    m.send_private("* rooms: " + listed(items, h.people().room_count()));
}

void me(hub& h, member& m, std::string_view text) {
    if (text.empty()) return m.send_private("* say what you do: /me waves");
    if (is_muted(h, m)) return;
    const std::string shown = to_printable(text);
    ++h.counted().messages;
    h.say(m, author::speaking(m.id()), {"*", m.name(), " ", shown, "*\n"});
    h.show({"*", m.name(), " ", shown, "*\n"});
}

void message(hub& h, member& m, std::string_view rest) {
    const auto to = find_named(h, rest);
    if (!to && rest.find(' ') == std::string_view::npos) {
        return m.send_private("* say to whom and what: /msg NAME TEXT");
    }
    if (!to) {
        return m.send_private("* nobody here has that name; /who lists who is in this room");
    }
    if (to->second.empty()) return m.send_private("* say to whom and what: /msg NAME TEXT");
    if (is_muted(h, m)) return;
    h.whisper(to->first, m.id(),
              fmt::format("[{} -> you]: {}", m.name(), to_printable(to->second)));
    m.send_private(fmt::format("* told {}", to->first.name));
}

void help(hub& h, member& m) {
    constexpr std::array lines{
        "* /nick NAME        be called that",
        "* /join ROOM        go to another room",
        "* /who              who is in this room",
        "* /rooms            which rooms there are",
        "* /me TEXT          say what you do",
        "* /msg NAME TEXT    a line for one person",
        "* /say TEXT         say TEXT, also if it begins with a slash; //text "
        "says /text",
        "* /ignore NAME      hear it no more; /unignore NAME",
        "* /topic            what this room is about",
        "* /quit, or exit    leave",
        "* anything else is said to the room",
    };
    if (h.accounts() != nullptr) m.send_private("* /login NAME PASSWORD    use your account");
    for (const char* line : lines) m.send_private(line);
    if (h.accounts() == nullptr || !h.accounts()->is_operator(m.account())) return;
    constexpr std::array for_operators{
        "* for operators:",
        "* /kick NAME WHY    send it away",
        "* /ban NAME 2h      send it away and let it in no more, by its account or its address",
        "* /ban ADDRESS 2h   let no client of that address in",
        "* /bans, /unban WHAT",
        "* /mute NAME 10m    let it say nothing; /unmute NAME",
        "* /topic TEXT       what this room is about; - for nothing",
        "* /key PASSWORD     what /join ROOM PASSWORD asks for; - for nothing",
    };
    for (const char* line : for_operators) m.send_private(line);
}

std::string_view first_word(std::string_view line) noexcept {
    return line.substr(0, line.find(' '));
}

std::string_view rest_after(std::string_view word, std::string_view line) noexcept {
    return trimmed(line.substr(word.size()));
}

struct command_entry {
    std::string_view word;
    void (*run)(hub& h, member& m, std::string_view rest);
};

constexpr std::array command_table{
    command_entry{"/nick", nick},
    command_entry{"/join", join},
    command_entry{"/who", [](hub& h, member& m, std::string_view) { who(h, m); }},
    command_entry{"/rooms", [](hub& h, member& m, std::string_view) { rooms(h, m); }},
    command_entry{"/me", me},
    command_entry{"/msg", message},
    command_entry{"/ignore", ignore},
    command_entry{"/unignore", unignore},
    command_entry{"/topic", topic},
    command_entry{"/key", room_password},
    command_entry{"/kick", kick},
    command_entry{"/ban", ban},
    command_entry{"/unban", unban},
    command_entry{"/bans", list_bans},
    command_entry{"/mute", mute},
    command_entry{"/unmute", unmute},
    command_entry{"/help", [](hub& h, member& m, std::string_view) { help(h, m); }},
    command_entry{
        "/say", [](hub&, member& m, std::string_view) { m.send_private("* say what: /say TEXT"); }},
};

}  // namespace

bool rename(hub& h, member& m, const std::string& wanted) {
    const std::string before = m.name();
    if (const auto other = h.people().rename(m.entry(), wanted)) {
        ++h.counted().names_refused;
        m.send_private(fmt::format(
            "* the name {} is taken{}; choose another with /nick NAME", wanted,
            same_letters(wanted, *other) ? std::string{}
                                         : fmt::format(": it looks like {}, who is here", *other)));
        return false;
    }
    if (m.has_arrived()) {
        h.say(m, author::announced(m.id()), {"* ", before, " is now ", m.name(), "\n"});
    }
    h.show({"<< ", before, " is now ", m.name(), " >>\n"});
    return true;
}

std::string to_printable(std::string_view text) {
    return wire::printable(wire::replace_invalid_utf8(text));
}

std::optional<std::string_view> text_of(std::string_view slash_line) noexcept {
    const auto word = first_word(slash_line);
    if (word == "/say") {
        const auto rest = rest_after(word, slash_line);
        return rest.empty() ? std::nullopt : std::optional{rest};
    }
    if (slash_line.starts_with("// ")) return slash_line;
    if (word.starts_with("//") && word != "//") return slash_line.substr(1);
    if (word == "//") return std::nullopt;
    if (word.find('/', 1) != std::string_view::npos) return slash_line;
    return std::nullopt;
}

bool is_introduction(std::string_view line) noexcept {
    const auto word = first_word(line);
    return word == "/nick" || word == "/join" || word == "/login";
}

bool is_message(std::string_view line) noexcept {
    const auto word = first_word(line);
    return word == "/me" || word == "/msg";
}

bool command(hub& h, member& m, std::string_view line) {
    ++h.counted().commands;
    const auto word = first_word(line);
    if (word == "/quit") return false;
    for (const auto& known : command_table) {
        if (known.word != word) continue;
        known.run(h, m, rest_after(word, line));
        return true;
    }
    m.send_private(fmt::format("* there is no {}; /help lists what there is",
                               to_printable(wire::truncate_utf8(word, 40))));
    return true;
}

}  // namespace sluice::chat
