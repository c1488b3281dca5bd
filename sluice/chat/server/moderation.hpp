// The commands of a chat's operators, and what every member may do against another: /ignore.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/chat/server/hub.hpp"
#include "sluice/chat/server/member.hpp"

namespace sluice::chat {

/// A member that a command names, and the words behind its name.
using named_member = std::pair<directory::location, std::string_view>;
/// The member whose name is the longest prefix of `words`: names may have spaces.
[[nodiscard]] std::optional<named_member> find_named(hub& h, std::string_view words);

/// `90` and `90s` are seconds; `10m`, `2h`, `7d`; a year at most. None for other text.
[[nodiscard]] std::optional<std::chrono::seconds> read_time(std::string_view text);
/// "2 h", "10 min", "90 s".
[[nodiscard]] std::string time_text(std::chrono::seconds time);

/// Each tells `m` what it did, or why not. Those of operators are refused to all others.
/// @{
void kick(hub& h, member& m, std::string_view words);
void ban(hub& h, member& m, std::string_view words);
void unban(hub& h, member& m, std::string_view words);
void list_bans(hub& h, member& m, std::string_view words);
void mute(hub& h, member& m, std::string_view words);
void unmute(hub& h, member& m, std::string_view words);
void topic(hub& h, member& m, std::string_view words);
void room_password(hub& h, member& m, std::string_view words);
void ignore(hub& h, member& m, std::string_view words);
void unignore(hub& h, member& m, std::string_view words);
/// @}

/// What `m` is told of the moderation of its room: its topic, if it has one.
void show_topic(hub& h, member& m);
/// Whether `m` may not speak now; it is told so then.
[[nodiscard]] bool is_muted(hub& h, member& m);

}  // namespace sluice::chat
