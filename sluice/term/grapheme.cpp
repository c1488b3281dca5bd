// Implements grapheme boundaries and column widths with ICU (ubrk.h, uchar.h).
#include "sluice/term/grapheme.hpp"

#include <unicode/ubrk.h>
#include <unicode/uchar.h>

#include <algorithm>
#include <memory>
#include <string>

namespace sluice::term {
namespace {

// Below it no character joins another one except in CR LF, which no line holds.
constexpr char32_t first_that_joins = 0x300;
constexpr char32_t variation_selector_16 = 0xfe0f;
constexpr char32_t zero_width_joiner = 0x200d;
constexpr char32_t keycap = 0x20e3;
constexpr char32_t soft_hyphen = 0xad;

UChar32 icu(char32_t c) noexcept {
    return static_cast<UChar32>(c);
}

bool has(char32_t c, UProperty property) noexcept {
    return u_hasBinaryProperty(icu(c), property) != 0;
}

bool joins_nothing(char32_t c) noexcept {
    return c < first_that_joins ||
           u_getIntPropertyValue(icu(c), UCHAR_GRAPHEME_CLUSTER_BREAK) == U_GCB_OTHER;
}

/// True if there is a boundary between two adjacent characters in every context.
bool is_boundary(char32_t one, char32_t next) noexcept {
    return joins_nothing(one) && joins_nothing(next);
}

struct close_iterator {
    void operator()(UBreakIterator* i) const noexcept { ubrk_close(i); }
};

/// The end of the first cluster of `text`, in code points; at most its size.
std::size_t first_boundary(std::u32string_view text) {
    thread_local const std::unique_ptr<UBreakIterator, close_iterator> iterator{[] {
        UErrorCode status = U_ZERO_ERROR;
        return ubrk_open(UBRK_CHARACTER, "", nullptr, 0, &status);
    }()};
    // Without ICU's data each character is a cluster.
    if (!iterator) return 1;
    std::u16string units;
    for (const char32_t c : text) {
        if (c < 0x10000) {
            units += static_cast<char16_t>(c);
        } else {
            units += static_cast<char16_t>(U16_LEAD(c));
            units += static_cast<char16_t>(U16_TRAIL(c));
        }
    }
    UErrorCode status = U_ZERO_ERROR;
    ubrk_setText(iterator.get(), units.data(), static_cast<std::int32_t>(units.size()), &status);
    if (U_FAILURE(status) != 0) return 1;
    const auto end = ubrk_next(iterator.get());
    if (end <= 0) return 1;
    const auto first = std::u16string_view{units}.substr(0, static_cast<std::size_t>(end));
    return first.size() - static_cast<std::size_t>(std::ranges::count_if(
                              first, [](char16_t unit) { return U16_IS_TRAIL(unit); }));
}

}  // namespace

std::size_t next_grapheme(std::u32string_view text, std::size_t from) noexcept {
    const std::size_t left = text.size() - from;
    if (left == 1 || is_boundary(text[from], text[from + 1])) return from + 1;
    // Most clusters are short; the longest may reach to the end of the text.
    for (std::size_t window = 16;; window *= 4) {
        const auto length = first_boundary(text.substr(from, window));
        if (length < window || window >= left) return from + std::min(length, left);
    }
}

std::size_t previous_grapheme(std::u32string_view text, std::size_t at) noexcept {
    if (at == 0) return 0;
    std::size_t boundary = at - 1;
    while (boundary > 0 && !is_boundary(text[boundary - 1], text[boundary])) --boundary;
    for (;;) {
        const auto next = next_grapheme(text, boundary);
        if (next >= at) return boundary;
        boundary = next;
    }
}

std::size_t columns_of(char32_t c) noexcept {
    if (c < first_that_joins || c == soft_hyphen) return 1;
    switch (u_charType(icu(c))) {
        case U_NON_SPACING_MARK:
        case U_ENCLOSING_MARK:
        case U_FORMAT_CHAR: return 0;
        default: break;
    }
    const auto syllable = u_getIntPropertyValue(icu(c), UCHAR_HANGUL_SYLLABLE_TYPE);
    if (syllable == U_HST_VOWEL_JAMO || syllable == U_HST_TRAILING_JAMO) return 0;
    const auto width = u_getIntPropertyValue(icu(c), UCHAR_EAST_ASIAN_WIDTH);
    return width == U_EA_WIDE || width == U_EA_FULLWIDTH ? 2 : 1;
}

std::size_t columns_of(std::u32string_view grapheme) noexcept {
    if (grapheme.size() == 1) return columns_of(grapheme[0]);
    const auto holds = [grapheme](char32_t c) { return grapheme.find(c) != grapheme.npos; };
    const bool is_emoji = has(grapheme[0], UCHAR_EMOJI);
    const bool has_tone = std::ranges::any_of(
        grapheme.substr(1), [](char32_t c) { return has(c, UCHAR_EMOJI_MODIFIER); });
    if (is_emoji && (holds(variation_selector_16) || holds(zero_width_joiner) || holds(keycap) ||
                     has_tone || has(grapheme[0], UCHAR_REGIONAL_INDICATOR))) {
        return 2;
    }
    std::size_t sum = 0;
    for (const char32_t c : grapheme) sum += columns_of(c);
    return sum;
}

}  // namespace sluice::term
