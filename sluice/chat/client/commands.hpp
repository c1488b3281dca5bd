// The commands that a chat client reads or writes itself; all others are the server's.
#pragma once

#include <string_view>

namespace sluice::chat {

inline constexpr std::string_view nick_command = "/nick ";
inline constexpr std::string_view join_command = "/join ";
/// Sends the rest of the line as a message, whatever it begins with.
inline constexpr std::string_view say_command = "/say ";

/// Whether a line of the user leaves the chat.
[[nodiscard]] inline bool is_exit(std::string_view line) noexcept {
    return line == "exit" || line == "/quit" || line.starts_with("/quit ");
}

}  // namespace sluice::chat
