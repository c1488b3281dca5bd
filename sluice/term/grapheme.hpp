// Grapheme clusters (what a person calls a character), and the columns that a terminal gives them.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::term {

/// Where the extended grapheme cluster (UAX 29) that begins at `from` ends; `from` is a boundary
/// and less than the size of `text`.
[[nodiscard]] std::size_t next_grapheme(std::u32string_view text, std::size_t from) noexcept;
/// The last boundary before `at`; 0 if there is none.
[[nodiscard]] std::size_t previous_grapheme(std::u32string_view text, std::size_t at) noexcept;

/// How many columns of a terminal one character takes by itself: 0 for what joins the character
/// before it, 2 for East Asian wide and fullwidth (UAX 11), else 1.
[[nodiscard]] std::size_t columns_of(char32_t c) noexcept;
/// The same for a grapheme cluster: 2 for an emoji sequence (UTS 51: with a variation selector 16,
/// a zero width joiner or a skin tone, a flag, a keycap), else the sum of its characters.
[[nodiscard]] std::size_t columns_of(std::u32string_view grapheme) noexcept;

}  // namespace sluice::term
