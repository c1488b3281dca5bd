// Looks at names character by character.
#include "sluice/service/chat/names.hpp"

#include <algorithm>
#include <cstddef>

#include "sluice/wire/text.hpp"

namespace sluice::service::chat {
namespace {

constexpr std::size_t longest = 32;  // characters

std::size_t characters(std::string_view text) noexcept {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
    }));
}

bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

/// Characters that take up no room, or look like a space: a name of them looks like another.
bool has_invisible(std::string_view text) noexcept {
    constexpr std::string_view invisible[] = {
        "\u00a0", "\u00ad", "\u034f", "\u061c", "\u115f", "\u1160", "\u17b4", "\u17b5", "\u180e",
        "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008",
        "\u2009", "\u200a", "\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u202f", "\u205f",
        "\u2060", "\u2061", "\u2062", "\u2063", "\u2064", "\u3000", "\u3164", "\ufeff", "\uffa0"};
    return std::any_of(std::begin(invisible), std::end(invisible),
                       [&](std::string_view c) { return text.find(c) != std::string_view::npos; });
}

std::string why_no_name(std::string_view name) {
    if (name.empty()) return "a name has at least one character";
    if (!wire::is_valid_utf8(name)) return "a name is UTF-8 text";
    if (characters(name) > longest) return "a name has at most 32 characters";
    if (!wire::is_printable(name) || name.find('\t') != std::string_view::npos ||
        has_invisible(name)) {
        return "a name has visible characters only";
    }
    return {};
}

}  // namespace

std::string folded(std::string_view name) {
    std::string lower{name};
    for (char& c : lower) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return lower;
}

std::string why_no_nick(std::string_view name) {
    if (auto why = why_no_name(name); !why.empty()) return why;
    if (name.front() == ' ' || name.back() == ' ' || name.find("  ") != std::string_view::npos) {
        return "a name has no spaces at its ends, and no two in a row";
    }
    if (name.find_first_of("[]<>:") != std::string_view::npos ||
        std::string_view{"*/"}.find(name.front()) != std::string_view::npos) {
        return "a name has none of [ ] < > : and begins with neither * nor /";
    }
    const std::string lower = folded(name);
    constexpr std::string_view client = "client ";
    if (lower.starts_with(client) &&
        std::all_of(lower.begin() + client.size(), lower.end(), is_digit)) {
        return "'Client' with a number is what the server calls people";
    }
    if (lower == "server" || lower == "exit") return "that word means something else here";
    return {};
}

std::string why_no_room(std::string_view name) {
    if (auto why = why_no_name(name); !why.empty()) return why;
    if (name.find(' ') != std::string_view::npos) return "the name of a room has no spaces";
    return {};
}

}  // namespace sluice::service::chat
