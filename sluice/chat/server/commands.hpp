// Declares the parser and the handler of chat lines that begin with a slash.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sluice/chat/server/hub.hpp"
#include "sluice/chat/server/member.hpp"

namespace sluice::chat {

/// The message in a line that begins with '/': the rest of `/say TEXT`, `/text` for `//text`, and
/// the whole line if it is a path or a comment ("// ..."). None for a command, known or not.
[[nodiscard]] std::optional<std::string_view> text_of(std::string_view slash_line) noexcept;

/// True for the commands that only set a new member's name or room: /nick, /join and /login.
[[nodiscard]] bool is_introduction(std::string_view line) noexcept;

/// True for the commands that send a message, to the room or to one member: /me and /msg.
[[nodiscard]] bool is_message(std::string_view line) noexcept;

/// Runs `line`, which begins with '/' and has no text_of(), for `m`. Replies go to `m` alone,
/// announcements to its room. False if `m` leaves.
[[nodiscard]] bool command(hub& h, member& m, std::string_view line);

/// Gives `m` a valid name, and announces that once it has arrived. False if another has it: `m` is
/// told so.
bool rename(hub& h, member& m, const std::string& wanted);

/// `text` with invalid UTF-8 replaced and control characters escaped.
[[nodiscard]] std::string to_printable(std::string_view text);

}  // namespace sluice::chat
