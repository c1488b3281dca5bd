// Implements parsing and formatting of ranges.
#include "sluice/http/range.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "sluice/base/parse_number.hpp"
#include "sluice/http/text.hpp"

namespace sluice::http {
namespace {

constexpr auto largest = std::numeric_limits<std::uint64_t>::max();

/// Digits of any length: a number that does not fit lies beyond the end of every file.
std::optional<std::uint64_t> parse_place(std::string_view text) noexcept {
    if (text.empty() || !std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; })) {
        return std::nullopt;
    }
    return parse_number(text).value_or(largest);
}

/// A range, cut to the file; of length 0 where it lies beyond the end. None if it is malformed.
std::optional<byte_part> parse_one(std::string_view text, std::uint64_t size) noexcept {
    const auto dash = text.find('-');
    if (dash == std::string_view::npos) return std::nullopt;
    const auto left = trim_blanks(text.substr(0, dash));
    const auto right = trim_blanks(text.substr(dash + 1));
    if (left.empty()) {
        const auto count = parse_place(right);
        if (!count) return std::nullopt;
        const auto length = std::min(*count, size);
        return byte_part{.offset = size - length, .length = length};
    }
    const auto first = parse_place(left);
    const auto last = right.empty() ? std::optional{largest} : parse_place(right);
    if (!first || !last || *last < *first) return std::nullopt;
    if (*first >= size) return byte_part{};
    return byte_part{.offset = *first, .length = std::min(*last, size - 1) - *first + 1};
}

/// Joins parts that touch or overlap, and keeps the order in which they were first asked for.
std::vector<byte_part> joined(std::vector<byte_part> parts) {
    std::vector<std::size_t> order(parts.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::ranges::sort(order, {}, [&parts](std::size_t i) { return parts[i].offset; });
    std::vector<std::pair<std::size_t, byte_part>> found;  // with the index of its first request
    for (const std::size_t i : order) {
        const byte_part& next = parts[i];
        if (!found.empty() &&
            next.offset <= found.back().second.offset + found.back().second.length) {
            auto& [place, so_far] = found.back();
            place = std::min(place, i);
            const auto end = std::max(so_far.offset + so_far.length, next.offset + next.length);
            so_far.length = end - so_far.offset;
        } else {
            found.emplace_back(i, next);
        }
    }
    std::ranges::sort(found, {}, &std::pair<std::size_t, byte_part>::first);
    parts.clear();
    for (const auto& each : found) parts.push_back(each.second);
    return parts;
}

/// `FIRST-LAST`, both of at most 64 bits.
std::optional<byte_part> parse_span(std::string_view text) noexcept {
    const auto dash = text.find('-');
    if (dash == std::string_view::npos) return std::nullopt;
    const auto first = parse_number(text.substr(0, dash));
    const auto last = parse_number(text.substr(dash + 1));
    if (!first || !last || *last < *first || *last == largest) return std::nullopt;
    return byte_part{.offset = *first, .length = *last - *first + 1};
}

}  // namespace

asked_range parse_range(std::string_view field, std::uint64_t size, std::size_t most) {
    // Bounds the work for a field of kilobytes; the scanner refuses larger heads.
    constexpr std::size_t most_asked = 1024;
    const auto equals = field.find('=');
    if (equals == std::string_view::npos ||
        !same_word(trim_blanks(field.substr(0, equals)), "bytes")) {
        return {};
    }
    std::string_view list = field.substr(equals + 1);
    std::vector<byte_part> parts;
    std::size_t asked = 0;
    while (const auto element = next_element(list)) {
        if (element->empty()) continue;
        const auto part = parse_one(*element, size);
        if (!part || ++asked > most_asked) return {};
        if (part->length > 0) parts.push_back(*part);
    }
    if (asked == 0) return {};
    if (parts.empty()) return {.what = asked_range::kind::unsatisfiable, .parts = {}};
    if (parts.size() > 1) parts = joined(std::move(parts));
    if (parts.size() > most) return {};
    return {.what = asked_range::kind::parts, .parts = std::move(parts)};
}

std::optional<content_range> parse_content_range(std::string_view field) noexcept {
    field = trim_blanks(field);
    const auto blank = field.find(' ');
    if (blank == std::string_view::npos || !same_word(field.substr(0, blank), "bytes")) {
        return std::nullopt;
    }
    const auto rest = trim_blanks(field.substr(blank + 1));
    const auto slash = rest.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const auto span = rest.substr(0, slash);
    const auto total = rest.substr(slash + 1);
    content_range found;
    if (span != "*") {
        found.part = parse_span(span);
        if (!found.part) return std::nullopt;
    }
    if (total != "*") {
        found.total = parse_number(total);
        if (!found.total) return std::nullopt;
    }
    if (!found.part && !found.total) return std::nullopt;
    if (found.part && found.total && found.part->last() >= *found.total) return std::nullopt;
    return found;
}

std::string format_content_range(const content_range& range) {
    std::string text = "bytes ";
    text += range.part ? fmt::format("{}-{}", range.part->offset, range.part->last()) : "*";
    text += '/';
    text += range.total ? fmt::format("{}", *range.total) : "*";
    return text;
}

std::optional<std::uint64_t> parse_arrived(std::string_view field) noexcept {
    constexpr std::string_view lead = "bytes=";
    field = trim_blanks(field);
    if (field.size() < lead.size() || !same_word(field.substr(0, lead.size()), lead)) {
        return std::nullopt;
    }
    const auto span = parse_span(field.substr(lead.size()));
    if (!span || span->offset != 0) return std::nullopt;
    return span->length;
}

std::string format_arrived(std::uint64_t bytes) {
    return fmt::format("bytes=0-{}", bytes - 1);
}

}  // namespace sluice::http
