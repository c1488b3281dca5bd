// What a chat allows, and what it has counted.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "sluice/io/timer.hpp"
#include "sluice/wire/framing.hpp"

namespace sluice::chat {

/// What becomes of a member whom the window of its room has passed.
enum class slow_policy : std::uint8_t {
    skip,        ///< it goes on further ahead, and is told how many messages it missed
    disconnect,  ///< it is told why, and has to go
};

/// Every limit of a chat. Memory is rooms times window, plus a little a member.
struct limits {
    wire::framing framing = wire::framing::automatic;
    slow_policy slow = slow_policy::skip;
    std::size_t window = std::size_t{1} << 20;  ///< bytes of its lines that a room keeps
    std::size_t history = 100;                  ///< lines that a newcomer is shown
    std::size_t max_line = 4096;                ///< bytes of a message as it is read
    std::size_t max_clients = 10'000;           ///< in the whole server
    std::uint32_t max_per_address = 0;          ///< connections; 0: model::address_limit's default
    std::size_t max_rooms = 1'000;              ///< in the whole server
    /// Bytes of private lines (replies, whispers) that wait for one member.
    std::size_t max_private = std::size_t{64} * 1024;
    /// In a room with more members than this nobody is told who comes and goes.
    std::size_t presence = 500;
    /// Lines that a member may say, per second, and at once on top of that; a rate of 0 is none.
    /// Nobody who types or pastes meets them.
    double rate = 100'000;
    double burst = 200'000;
    /// The same for commands that say nothing: /nick, /join, /who, /rooms, /help.
    double command_rate = 50;
    double command_burst = 200;
    /// Such commands that a shard carries out in one turn, for all its members; more wait for the
    /// next turn.
    std::size_t commands_a_turn = 32;
    /// How long after its coming a member may name itself and choose a room before its room is told
    /// that it has joined.
    io::duration introduction = std::chrono::milliseconds{50};
    /// A member that takes nothing for so long, while something waits for it, has to go.
    io::duration write_deadline = std::chrono::seconds{60};
};

/// What one shard has counted; all but members, log_bytes and rooms only grow.
struct counters {
    std::uint64_t members = 0;        ///< now
    std::uint64_t log_bytes = 0;      ///< kept in the logs of rooms, now
    std::uint64_t connected = 0;      ///< members that were admitted
    std::uint64_t refused = 0;        ///< connections beyond a limit, or without memory for them
    std::uint64_t messages = 0;       ///< said in rooms
    std::uint64_t message_bytes = 0;  ///< of them, as they were read
    std::uint64_t deliveries = 0;     ///< lines laid before members, theirs to read
    std::uint64_t sent_bytes = 0;     ///< taken by the kernel
    std::uint64_t skipped = 0;        ///< lines that slow members missed
    std::uint64_t whispers = 0;       ///< lines for one member
    std::uint64_t commands = 0;       ///< lines that began with a slash and were no text
    std::uint64_t put_off = 0;        ///< waits for the next turn, for commands of this one
    std::uint64_t empty_lines = 0;    ///< read and dropped
    std::uint64_t held_back = 0;      ///< waits for a rate
    std::uint64_t names_refused = 0;  ///< not visible, taken, or looking like another
    std::uint64_t rooms = 0;  ///< on this shard, copies of other shards' rooms included, now
    std::uint64_t rooms_refused = 0;  ///< beyond the limit, or without memory for them
    std::uint64_t private_lost = 0;   ///< private lines for members that did not read
    std::uint64_t too_slow = 0;       ///< disconnected: the window passed them
    std::uint64_t too_silent = 0;     ///< disconnected: took nothing before the deadline
    std::uint64_t too_long = 0;       ///< lines beyond the limit, which were dropped
    std::uint64_t broken = 0;         ///< connections that failed
    std::uint64_t no_memory = 0;      ///< members ended, and lines dropped, for lack of memory

    counters& operator+=(const counters& o) noexcept;
};

}  // namespace sluice::chat
