// Implements the record of a simulated chat.
#include "tests/worlds/chat_record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace sluice::worlds {
namespace {

struct fragment {
    std::string_view raw;
    std::string_view shown;
};

// Each is followed by a letter, so that what is not UTF-8 stays so.
constexpr std::array fragments{
    fragment{"word", "word"},
    fragment{" ", " "},
    fragment{"\t", "\t"},
    fragment{"\u00e9", "\u00e9"},
    fragment{"\U0001f600", "\U0001f600"},
    fragment{"\xc3", "\ufffd"},
    fragment{"\x80", "\ufffd"},
    fragment{"\xe2\x82", "\ufffd"},
    fragment{"\xf0\x9f\x98", "\ufffd"},
    fragment{"\x1b[31m", "\\x1b[31m"},
    fragment{"\u202e", "\\u202e"},
    fragment{"[bob]: ", "[bob]: "},
};

}  // namespace

speaker& chat_record::add(char kind) {
    speaker& made = speakers_.emplace_back();
    made.number = speakers_.size() - 1;
    made.own_name = fmt::format("{}{}", kind, made.number);
    return made;
}

void chat_record::leave(speaker& by) noexcept {
    if (by.left) return;
    by.left = true;
    by.left_at = now();
}

std::string chat_record::say(speaker& by, const std::string& room, std::size_t longest) {
    constexpr std::size_t short_line = 60;
    constexpr double chance_of_a_long_one = 0.05;
    auto& chance = stage_.chance();
    std::string raw = fmt::format("S{}.{} x", by.number, by.lines.size());
    std::string shown = raw;
    const auto most = chance.chance(chance_of_a_long_one) ? longest : std::min(longest, short_line);
    const auto wanted = static_cast<std::size_t>(chance.below(most));
    for (;;) {
        const fragment& next = fragments[chance.below(fragments.size())];
        if (raw.size() + next.raw.size() + 1 > wanted) break;
        raw.append(next.raw).push_back('x');
        shown.append(next.shown).push_back('x');
    }
    by.lines.push_back({.text = std::move(shown), .room = room, .at = now()});
    return raw;
}

bool chat_record::knows(std::string_view name) const {
    return name.starts_with("Client ") || names_.contains(name);
}

void chat_record::give_number(std::string_view number) {
    stage_.require(numbers_.emplace(number).second,
                   fmt::format("two members were called Client {}", number));
}

std::string_view chat_record::likeness(std::string_view name) noexcept {
    for (const auto& each : alike) {
        if (std::ranges::find(each, name) != each.end()) return each.front();
    }
    return name;
}

void chat_record::hold(const speaker& who, std::string_view name, sim::virtual_time from,
                       sim::virtual_time to) {
    if (to <= from) return;
    const auto what = likeness(name);
    auto at = holdings_.find(what);
    if (at == holdings_.end()) at = holdings_.emplace(what, std::vector<holding>{}).first;
    auto& all = at->second;
    for (const holding& other : all) {
        if (other.who == who.number || other.to <= from || to <= other.from) continue;
        stage_.fail(fmt::format("two members were called {} at a time: speaker {} and speaker {}",
                                name, other.who, who.number));
    }
    const auto mine = std::ranges::find_if(
        all, [&](const holding& each) { return each.who == who.number && each.from == from; });
    if (mine == all.end()) {
        all.push_back({.who = who.number, .from = from, .to = to});
    } else {
        mine->to = std::max(mine->to, to);
    }
}

}  // namespace sluice::worlds
