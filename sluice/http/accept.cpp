// Parses media ranges and their weights, and ranks media types by them.
#include "sluice/http/accept.hpp"

#include <algorithm>
#include <optional>

#include "sluice/http/text.hpp"

namespace sluice::http {
namespace {

/// A qvalue (`0`, `0.5`, `1.000`) in thousandths; none for other text (RFC 9110, section 12.4.2).
std::optional<unsigned> parse_weight(std::string_view text) noexcept {
    constexpr std::size_t longest = 5;
    constexpr unsigned full = 1000;
    if (text.empty() || text.size() > longest || (text.size() > 1 && text[1] != '.')) {
        return std::nullopt;
    }
    if (text.front() != '0' && text.front() != '1') return std::nullopt;
    unsigned value = text.front() == '1' ? full : 0;
    unsigned unit = full;
    for (const char c : text.substr(std::min<std::size_t>(2, text.size()))) {
        if (c < '0' || c > '9') return std::nullopt;
        unit /= 10;
        value += unit * static_cast<unsigned>(c - '0');
    }
    if (value > full) return std::nullopt;
    return value;
}

struct media_range {
    std::string_view type;
    unsigned weight = 1000;
    bool narrowed = false;  // has a parameter that the offered type has not
};

/// Removes what stands before the next semicolon, and returns it trimmed.
std::string_view next_part(std::string_view& text) noexcept {
    const auto end = std::min(text.find(';'), text.size());
    const auto part = trim_blanks(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    return part;
}

bool has_part(std::string_view parts, std::string_view wanted) noexcept {
    while (!parts.empty()) {
        if (same_word(next_part(parts), wanted)) return true;
    }
    return false;
}

/// `parameters` are those of the offered type, with semicolons between.
std::optional<media_range> parse_range(std::string_view element,
                                       std::string_view parameters) noexcept {
    media_range found{.type = next_part(element)};
    while (!element.empty()) {
        const auto parameter = next_part(element);
        if (parameter.empty()) continue;
        if (parameter.size() > 1 && lower(parameter[0]) == 'q' && parameter[1] == '=') {
            const auto weight = parse_weight(parameter.substr(2));
            if (!weight) return std::nullopt;
            found.weight = *weight;
            break;  // accept-ext follows, which RFC 9110 removed
        }
        if (!same_word(parameter, "charset=utf-8") && !has_part(parameters, parameter)) {
            found.narrowed = true;
        }
    }
    return found;
}

/// media_rank::closeness of a range that matches; 0 if it does not.
unsigned closeness_of(std::string_view range, std::string_view type) noexcept {
    if (range == "*/*") return 1;
    if (range.ends_with("/*")) {
        const auto with_slash = range.substr(0, range.size() - 1);
        return same_word(type.substr(0, with_slash.size()), with_slash) ? 2 : 0;
    }
    return same_word(range, type) ? 3 : 0;
}

}  // namespace

media_rank rank_of(std::string_view accept, std::string_view offer) noexcept {
    media_rank found;
    auto parameters = offer;
    const auto type = next_part(parameters);
    std::size_t place = accept.size() + 1;
    while (const auto element = next_element(accept)) {
        --place;
        const auto range = parse_range(*element, parameters);
        if (!range || range->narrowed) continue;
        const unsigned closeness = closeness_of(range->type, type);
        if (closeness == 0 || closeness < found.closeness) continue;
        const unsigned weight = range->weight == 0 ? media_rank::refused : range->weight + 1;
        if (closeness == found.closeness && weight <= found.weight) continue;
        found = {.weight = weight, .closeness = closeness, .place = place};
    }
    return found;
}

std::size_t best_of(std::string_view accept, std::span<const std::string_view> offers) noexcept {
    std::size_t best = 0;
    media_rank highest;
    for (std::size_t i = 0; i < offers.size(); ++i) {
        const auto rank = rank_of(accept, offers[i]);
        if (i > 0 && rank <= highest) continue;
        best = i;
        highest = rank;
    }
    return best;
}

}  // namespace sluice::http
