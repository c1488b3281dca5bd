// Declares the checks of member and room names, and confusable names (UTS 39), with ICU.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

namespace sluice::chat {

inline constexpr std::size_t longest_name = 32;  // characters

/// The number of code points in valid UTF-8.
[[nodiscard]] std::size_t characters(std::string_view text) noexcept;

/// A name in NFC, or the reason for its refusal: a sentence for the member.
using judged_name = std::expected<std::string, std::string>;

/// A member's name: 1 to 32 visible characters of valid UTF-8, without spaces at its ends or two in
/// a row, and not confusable with a line of the server ("* ...", "[...]", "<< ...") or a name that
/// the server gives ("Client 7"). Bounded work: microseconds for any text.
[[nodiscard]] judged_name judge_nick(std::string_view given);
/// A room's name: 1 to 32 visible characters without spaces.
[[nodiscard]] judged_name judge_room(std::string_view given);

/// The UTS 39 skeleton, without regard to case, accents and spaces: the same bytes for all names
/// that a reader can confuse. Empty for text that is too long or not UTF-8. About a microsecond for
/// an ordinary name.
[[nodiscard]] std::string skeleton(std::string_view name);
/// True if the two differ only in case and normalisation.
[[nodiscard]] bool same_letters(std::string_view a, std::string_view b);

/// Loads ICU's tables, which takes milliseconds; else the first use loads them. Any thread. Throws
/// std::bad_alloc.
void load_name_tables();

}  // namespace sluice::chat
