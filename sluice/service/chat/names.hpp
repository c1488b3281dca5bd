// Which names people and rooms may have.
#pragma once

#include <string>
#include <string_view>

namespace sluice::service::chat {

/// Why nobody may be called that, as a sentence for whoever tried; empty if one may: 1 to 32
/// visible characters of valid UTF-8, no spaces at its ends or two in a row, nothing that would
/// look like a line of the server's own ("* ...", "[...]", "<< ...", "Client 7").
[[nodiscard]] std::string why_no_nick(std::string_view name);
/// The same for a room: 1 to 32 visible characters without spaces.
[[nodiscard]] std::string why_no_room(std::string_view name);
/// What two names have in common that count as one: ASCII letters in lower case.
[[nodiscard]] std::string folded(std::string_view name);

}  // namespace sluice::service::chat
