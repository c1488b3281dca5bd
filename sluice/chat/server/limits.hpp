// Defines the limits and the counters of a chat server.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "sluice/base/live_setting.hpp"
#include "sluice/base/owned_counter.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/wire/framing.hpp"

namespace sluice::chat {

/// The action for a member whose unread lines have left the window of its room.
enum class slow_policy : std::uint8_t {
    skip,        ///< it continues further ahead, and is sent the number of messages it missed
    disconnect,  ///< it is sent the reason and disconnected
};

/// Every limit of a chat; of those that are live_setting, others may be set while it runs. Memory
/// is rooms times window, plus a little per member.
struct limits {
    wire::framing framing = wire::framing::automatic;
    slow_policy slow = slow_policy::skip;
    std::size_t window = std::size_t{1} << 20;       ///< bytes of lines that a room keeps
    live_setting<std::size_t> history = 100;         ///< lines that a new member is shown
    std::size_t max_line = 4096;                     ///< bytes of a message as received
    live_setting<std::size_t> max_clients = 10'000;  ///< in the whole server
    std::uint32_t max_per_address = 0;  ///< connections; 0: model::address_limit's default
    live_setting<std::size_t> max_rooms = 1'000;  ///< in the whole server
    /// Bytes of private lines (replies, whispers) that wait for one member.
    live_setting<std::size_t> max_private = std::size_t{64} * 1024;
    /// A room with more members announces no joins and leaves.
    live_setting<std::size_t> presence = 500;
    /// Lines per second that a member may say, and the burst on top; a rate of 0 is no limit.
    /// Typing and pasting stay below them.
    live_setting<double> rate = 100'000;
    live_setting<double> burst = 200'000;
    /// The same for commands that send no message: /nick, /join, /who, /rooms, /help.
    live_setting<double> command_rate = 50;
    live_setting<double> command_burst = 200;
    /// Commands that a shard runs per turn for all its members; further ones wait for the next
    /// turn.
    std::size_t commands_a_turn = 32;
    /// Time for a new member to set its name and room before its join is announced.
    io::duration introduction = std::chrono::milliseconds{50};
    /// A member that reads nothing for this long while output waits for it is disconnected.
    live_setting<io::duration> write_deadline{std::chrono::seconds{60}};
};

/// Counters of one shard, changed by its thread; all but members, log_bytes and rooms only grow.
struct counters {
    owned_counter members;        ///< now
    owned_counter log_bytes;      ///< in the logs of rooms, now
    owned_counter connected;      ///< members admitted
    owned_counter refused;        ///< connections beyond a limit, or without memory for them
    owned_counter messages;       ///< said in rooms
    owned_counter message_bytes;  ///< of those messages, as received
    owned_counter deliveries;     ///< lines made available to members
    owned_counter sent_bytes;     ///< accepted by the kernel
    owned_counter skipped;        ///< lines that slow members missed
    owned_counter whispers;       ///< lines for one member
    owned_counter commands;       ///< lines run as commands
    owned_counter put_off;        ///< waits of commands for the next turn
    owned_counter empty_lines;    ///< received and dropped
    owned_counter held_back;      ///< waits for a rate limit
    owned_counter names_refused;  ///< invalid, taken, or confusable with another
    owned_counter rooms;          ///< on this shard now, copies of other shards' rooms included
    owned_counter rooms_refused;  ///< beyond the limit, or without memory for them
    owned_counter private_lost;   ///< private lines beyond max_private, dropped
    owned_counter too_slow;       ///< disconnected: their unread lines left the window
    owned_counter too_silent;     ///< disconnected: read nothing within write_deadline
    owned_counter too_long;       ///< lines over max_line, dropped
    owned_counter strangers;      ///< connections closed: they speak HTTP or TLS
    owned_counter broken;         ///< connections that failed
    owned_counter no_memory;      ///< members disconnected and lines dropped for lack of memory

    counters& operator+=(const counters& o) noexcept;
};

}  // namespace sluice::chat
