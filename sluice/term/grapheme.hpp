// Declares functions for grapheme clusters (UAX 29) and their width in terminal columns.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::term {

/// The end of the extended grapheme cluster (UAX 29) that begins at `from`, a boundary less than
/// the size of `text`.
[[nodiscard]] std::size_t next_grapheme(std::u32string_view text, std::size_t from) noexcept;
/// The last boundary before `at`; 0 if there is none.
[[nodiscard]] std::size_t previous_grapheme(std::u32string_view text, std::size_t at) noexcept;

/// Terminal columns of one character alone: 0 if it joins the character before it, 2 for East Asian
/// wide and fullwidth (UAX 11), else 1.
[[nodiscard]] std::size_t columns_of(char32_t c) noexcept;
/// Terminal columns of a grapheme cluster: 2 for an emoji sequence (UTS 51: with a variation
/// selector 16, a zero width joiner or a skin tone, a flag, a keycap), else the sum of its
/// characters.
[[nodiscard]] std::size_t columns_of(std::u32string_view grapheme) noexcept;

}  // namespace sluice::term
