// The lines that begin with a slash: commands of members, and text that only looks like one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sluice/chat/server/hub.hpp"
#include "sluice/chat/server/member.hpp"

namespace sluice::chat {

/// What a line that begins with '/' says to the room: the rest of `/say TEXT`, `/text` for
/// `//text`, and all of a path, a comment ("// ...") or what else is no word after a slash. None
/// for a command, and for a word that is none but could be meant as one.
[[nodiscard]] std::optional<std::string_view> text_of(std::string_view slash_line) noexcept;

/// Whether a command only says who a newcomer is and where it goes: /nick and /join.
[[nodiscard]] bool introduces(std::string_view line) noexcept;

/// Whether a command says something, to the room or to one member: /me and /msg.
[[nodiscard]] bool is_message(std::string_view line) noexcept;

/// Carries out `line`, which begins with '/' and is no text_of(), for `m`; the answer goes to `m`
/// alone, what others must know to its room. False if `m` wants to go.
[[nodiscard]] bool command(hub& h, member& m, std::string_view line);

/// `text` with bytes that are no UTF-8 replaced and control characters written out.
[[nodiscard]] std::string harmless(std::string_view text);

}  // namespace sluice::chat
