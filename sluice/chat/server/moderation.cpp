// Implements the commands of operators: what they change lies in the directory, in the bans, or at
// the shard of the member that is meant.
#include "sluice/chat/server/moderation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "sluice/chat/server/commands.hpp"
#include "sluice/chat/server/names.hpp"
#include "sluice/chat/server/registry.hpp"
#include "sluice/net/address.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::chat {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds usual_ban = 1h;
constexpr std::chrono::seconds usual_mute = 10min;
constexpr std::size_t most_ignored = 100;
constexpr std::size_t most_bans_shown = 50;
constexpr std::size_t longest_topic = 400;
constexpr std::size_t longest_password = 100;

std::string_view trimmed(std::string_view text) noexcept {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

/// Tells a member that is no operator.
bool may_moderate(hub& h, member& m) {
    if (h.accounts() != nullptr && h.accounts()->is_operator(m.account())) return true;
    m.send_private("* no: that is for operators of this chat");
    return false;
}

/// Tells `m` if there is no such member.
std::optional<named_member> named_or_tell(hub& h, member& m, std::string_view words,
                                          std::string_view usage) {
    if (words.empty()) {
        m.send_private(usage);
        return std::nullopt;
    }
    auto found = find_named(h, words);
    if (!found) m.send_private("* no member here has that name; /who lists who is in this room");
    return found;
}

/// The time in `text`, `usual` if it is empty; tells `m` if it is none.
std::optional<std::chrono::seconds> time_or_tell(member& m, std::string_view text,
                                                 std::chrono::seconds usual) {
    if (text.empty()) return usual;
    const auto time = read_time(text);
    if (!time) m.send_private("* no: write a time as in 90s, 10m, 2h or 7d");
    return time;
}

void send_away(hub& h, member& m, const directory::location& who, std::string_view why) {
    const std::string reason =
        why.empty() ? std::string{} : fmt::format(" ({})", to_printable(why));
    h.send_away(who, fmt::format("* {} was sent away by {}{}\n", who.name, m.name(), reason),
                fmt::format("* you have to go: {} sent you away{}", m.name(), reason));
    h.show({"<< ", m.name(), " sends ", who.name, " away", reason, " >>\n"});
}

/// An address without its port: `192.0.2.1`, `2001:db8::1`.
std::optional<net::address> read_host(std::string_view text) {
    const bool is_v6 = text.contains(':');
    const auto found =
        net::address::parse(is_v6 ? fmt::format("[{}]:1", text) : fmt::format("{}:1", text));
    return found && text.find_first_of(".:") != std::string_view::npos ? std::optional{*found}
                                                                       : std::nullopt;
}

}  // namespace

std::optional<named_member> find_named(hub& h, std::string_view words) {
    constexpr std::size_t most = 4 * longest_name;
    auto end = words.size() <= most ? words.size() : words.rfind(' ', most);
    for (; end != std::string_view::npos && end > 0; end = words.rfind(' ', end - 1)) {
        const auto name = words.substr(0, end);
        if (characters(name) > longest_name) continue;
        if (auto found = h.people().find(name)) {
            return named_member{std::move(*found), trimmed(words.substr(end))};
        }
    }
    return std::nullopt;
}

std::optional<std::chrono::seconds> read_time(std::string_view text) {
    std::int64_t count = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (problem != std::errc{} || count <= 0) return std::nullopt;
    const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
    std::chrono::seconds one{};
    if (unit.empty() || unit == "s") one = 1s;
    if (unit == "m") one = 1min;
    if (unit == "h") one = 1h;
    if (unit == "d") one = 24h;
    constexpr std::chrono::seconds longest = 365 * 24h;
    if (one == 0s || count > longest / one) return std::nullopt;
    return count * one;
}

std::string time_text(std::chrono::seconds time) {
    if (time >= 48h) return fmt::format("{} days", time / 24h);
    if (time >= 2h) return fmt::format("{} hours", time / 1h);
    if (time >= 2min) return fmt::format("{} minutes", time / 1min);
    if (time <= 1s) return "1 second";
    return fmt::format("{} seconds", time.count());
}

void kick(hub& h, member& m, std::string_view words) {
    if (!may_moderate(h, m)) return;
    const auto who = named_or_tell(h, m, words, "* say whom: /kick NAME, or /kick NAME WHY");
    if (!who) return;
    send_away(h, m, who->first, who->second);
    m.send_private(fmt::format("* {} was sent away", who->first.name));
}

void ban(hub& h, member& m, std::string_view words) {
    if (!may_moderate(h, m)) return;
    constexpr std::string_view usage = "* say whom: /ban NAME or /ban ADDRESS, and how long: 2h";
    if (words.empty()) return m.send_private(usage);
    const auto now = h.engine().now();
    auto& all = h.accounts()->banned();
    const auto blank = std::min(words.find(' '), words.size());
    if (const auto host = read_host(words.substr(0, blank))) {
        const auto time = time_or_tell(m, trimmed(words.substr(blank)), usual_ban);
        if (!time) return;
        const std::string what{words.substr(0, blank)};
        all.add({.what = what, .network = net::network_of(*host), .until = now + *time}, now);
        h.show({"<< ", m.name(), " bans ", what, " >>\n"});
        return m.send_private(fmt::format("* {} is banned for {}", what, time_text(*time)));
    }
    const auto who = named_or_tell(h, m, words, usage);
    if (!who) return;
    const auto time = time_or_tell(m, who->second, usual_ban);
    if (!time) return;
    // Its shard knows its address and its account.
    h.send_away(who->first, fmt::format("* {} was banned by {}\n", who->first.name, m.name()),
                fmt::format("* you have to go: {} banned you for {}", m.name(), time_text(*time)),
                now + *time);
    h.show({"<< ", m.name(), " bans ", who->first.name, " >>\n"});
    m.send_private(
        fmt::format("* {} is banned for {}; /bans lists all", who->first.name, time_text(*time)));
}

void unban(hub& h, member& m, std::string_view words) {
    if (!may_moderate(h, m)) return;
    if (words.empty()) return m.send_private("* say whom, as /bans lists them: /unban WHAT");
    const bool lifted = h.accounts()->banned().lift(words, h.engine().now());
    m.send_private(fmt::format("* {} {}", to_printable(words),
                               lifted ? "is banned no more" : "is not banned; /bans lists who is"));
}

void list_bans(hub& h, member& m, std::string_view /*words*/) {
    if (!may_moderate(h, m)) return;
    const auto now = h.engine().now();
    const auto all = h.accounts()->banned().all(most_bans_shown, now);
    if (all.empty()) return m.send_private("* none is banned");
    for (const auto& each : all) {
        const auto left = std::chrono::ceil<std::chrono::seconds>(each.until - now);
        m.send_private(fmt::format("* {} is banned for {}", each.what, time_text(left)));
    }
}

void mute(hub& h, member& m, std::string_view words) {
    if (!may_moderate(h, m)) return;
    const auto who = named_or_tell(h, m, words, "* say whom, and how long: /mute NAME 10m");
    if (!who) return;
    const auto time = time_or_tell(m, who->second, usual_mute);
    if (!time) return;
    h.mute(who->first, h.engine().now() + *time,
           fmt::format("* {} muted you for {}", m.name(), time_text(*time)));
    m.send_private(fmt::format("* {} is muted for {}", who->first.name, time_text(*time)));
}

void unmute(hub& h, member& m, std::string_view words) {
    if (!may_moderate(h, m)) return;
    const auto who = named_or_tell(h, m, words, "* say whom: /unmute NAME");
    if (!who) return;
    h.mute(who->first, {}, fmt::format("* {} lets you speak again", m.name()));
    m.send_private(fmt::format("* {} may speak again", who->first.name));
}

void show_topic(hub& h, member& m) {
    const auto text = h.people().topic_of(m.where()->name());
    if (!text.empty()) m.send_private(fmt::format("* the topic here: {}", text));
}

void topic(hub& h, member& m, std::string_view words) {
    const std::string& room = m.where()->name();
    if (words.empty()) {
        if (h.people().topic_of(room).empty()) return m.send_private("* this room has no topic");
        return show_topic(h, m);
    }
    if (!may_moderate(h, m)) return;
    const bool ends = words == "-";
    const std::string text =
        ends ? std::string{} : to_printable(wire::truncate_utf8(words, longest_topic));
    h.people().set_topic(room, text);
    const std::string line = ends ? fmt::format("* {} removed the topic\n", m.name())
                                  : fmt::format("* {} set the topic: {}\n", m.name(), text);
    h.say(m, author::announced(m.id()), {line});
    m.send_private(ends ? "* this room has no topic now"
                        : fmt::format("* the topic here: {}", text));
}

void room_password(hub& h, member& m, std::string_view words) {
    if (!may_moderate(h, m)) return;
    if (words.empty()) {
        return m.send_private("* say /key PASSWORD, which /join ROOM PASSWORD asks for, or /key -");
    }
    if (words.contains(' ') || words.size() > longest_password) {
        return m.send_private("* no: a room's password is a word of at most 100 bytes");
    }
    const std::string& room = m.where()->name();
    if (room == lobby) return m.send_private("* no: all come into the lobby first");
    h.people().set_password(room, words == "-" ? std::string{} : std::string{words});
    m.send_private(words == "-" ? fmt::format("* {} is open to all", room)
                                : fmt::format("* {} asks for that password now", room));
}

void ignore(hub& h, member& m, std::string_view words) {
    const auto who = named_or_tell(h, m, words, "* say whom: /ignore NAME; /unignore NAME ends it");
    if (!who) return;
    if (who->first.id == m.id()) return m.send_private("* no: that is you");
    if (!m.ignore(who->first.id, most_ignored)) {
        return m.send_private("* no: you ignore as many as you may");
    }
    m.send_private(fmt::format("* you ignore {} until it leaves, or you do", who->first.name));
}

void unignore(hub& h, member& m, std::string_view words) {
    const auto who = named_or_tell(h, m, words, "* say whom: /unignore NAME");
    if (!who) return;
    const bool ended = m.unignore(who->first.id);
    m.send_private(fmt::format(
        "* you {} {}", ended ? "hear again what is said by" : "do not ignore", who->first.name));
}

bool is_muted(hub& h, member& m) {
    const auto until = m.muted_until();
    if (until <= h.engine().now()) return false;
    const auto left = std::chrono::ceil<std::chrono::seconds>(until - h.engine().now());
    m.send_private(fmt::format("* that was not said: you are muted for {}", time_text(left)));
    return true;
}

}  // namespace sluice::chat
