// Implements the sum of the counters of two shards.
#include "sluice/chat/server/limits.hpp"

namespace sluice::chat {

counters& counters::operator+=(const counters& o) noexcept {
    members += o.members;
    log_bytes += o.log_bytes;
    connected += o.connected;
    refused += o.refused;
    messages += o.messages;
    message_bytes += o.message_bytes;
    deliveries += o.deliveries;
    sent_bytes += o.sent_bytes;
    skipped += o.skipped;
    whispers += o.whispers;
    commands += o.commands;
    put_off += o.put_off;
    empty_lines += o.empty_lines;
    held_back += o.held_back;
    names_refused += o.names_refused;
    rooms += o.rooms;
    rooms_refused += o.rooms_refused;
    private_lost += o.private_lost;
    too_slow += o.too_slow;
    too_silent += o.too_silent;
    too_long += o.too_long;
    strangers += o.strangers;
    broken += o.broken;
    no_memory += o.no_memory;
    return *this;
}

}  // namespace sluice::chat
