// Which names members and rooms may have, and which names look alike (UTS 39), by ICU.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

namespace sluice::chat {

inline constexpr std::size_t longest_name = 32;  // characters

/// Code points of valid UTF-8.
[[nodiscard]] std::size_t characters(std::string_view text) noexcept;

/// A name in NFC, or why it is refused: a sentence for the member that asked for it.
using judged_name = std::expected<std::string, std::string>;

/// A member's name: 1 to 32 visible characters of valid UTF-8, no spaces at its ends or two in a
/// row, nothing that looks like a line of the server's own ("* ...", "[...]", "<< ...") or like
/// what the server calls members ("Client 7"). Bounded work: microseconds for any text.
[[nodiscard]] judged_name judge_nick(std::string_view given);
/// A room's name: 1 to 32 visible characters without spaces.
[[nodiscard]] judged_name judge_room(std::string_view given);

/// The same bytes for names that a reader can take for one another: UTS 39 skeletons, whatever the
/// case, the accents and the spaces. Empty for text that is no name (too long, not UTF-8). About a
/// microsecond for an ordinary name.
[[nodiscard]] std::string skeleton(std::string_view name);
/// True if the two differ in nothing but case and normalisation.
[[nodiscard]] bool same_letters(std::string_view a, std::string_view b);

/// Loads ICU's tables, which takes milliseconds; the first use does it otherwise. Any thread.
/// Throws std::bad_alloc.
void load_name_tables();

}  // namespace sluice::chat
