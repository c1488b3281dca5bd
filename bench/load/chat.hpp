// What one run of the chat load is asked to do.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace load {

enum class chat_server : std::uint8_t { sluice, redis, nats, irc, ncat };

struct chat_options {
    std::uint16_t port = 0;
    chat_server server = chat_server::sluice;
    std::size_t senders = 4;
    std::size_t members = 90;   ///< who listen, beside the senders
    std::size_t stuck = 0;      ///< members more, who never read
    std::size_t trickling = 0;  ///< members more, who read a byte a second
    std::size_t size = 64;      ///< bytes of a message's text
    std::size_t window = 256;   ///< messages sent and not yet delivered to all
    double rate = 0;            ///< messages a second, timed one by one; 0: as fast as may be
    double measured = 2;        ///< seconds
    double warmup = 0.5;        ///< seconds before these
    pid_t process = 0;          ///< whose CPU time is reported; 0 for none
};

/// Joins, sends, counts what is delivered, and prints one line of JSON.
void measure_chat(const chat_options& options);

/// Joins with all members, prints one line of JSON, and keeps them idle. Each line on stdin that
/// says `say` sends one message and prints how long its delivery to each took; the end of stdin
/// ends it.
void hold_chat(const chat_options& options);

}  // namespace load
