// Defines batch and relay: messages between the hubs of the shards.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/chat/server/log.hpp"
#include "sluice/io/mailbox.hpp"
#include "sluice/io/timer.hpp"

namespace sluice::chat {

class hub;
class relay;

/// A message from one shard to another: the lines of a room in one turn, or a request.
struct batch : io::message {
    enum class purpose : std::uint8_t {
        lines_to_home,  ///< to the home shard: lines of members on another shard
        lines_to_copy,  ///< from the home shard: lines for a copy
        history,        ///< from the home shard: earlier lines, once per subscription
        subscribe,      ///< to the home shard: a copy begins
        unsubscribe,    ///< to the home shard: the copy ends
        whisper,        ///< a line for one member
        send_away,      ///< what its room is told, and what the member is told
        mute,           ///< what the member is told
    };

    batch(relay& r, std::size_t from_shard, std::size_t to_shard, purpose p, std::string room_name);
    /// Adds one or several lines of one author. Throws std::bad_alloc and then adds nothing.
    void add(author by, std::initializer_list<std::string_view> pieces);

    relay& owner;
    std::size_t from;
    std::size_t to;
    purpose kind;
    std::uint64_t ticket = 0;   ///< matches a subscription and its history
    io::time_point until = {};  ///< of a mute, or of a ban of a member that is sent away
    member_id by = 0;           ///< of a whisper: who says it
    std::string room;           ///< empty for a whisper
    std::string bytes;
    std::size_t cost = 0;  ///< its memory in bytes, for relay::congested()
    std::vector<std::pair<author, std::size_t>> stretches;  ///< authors and their bytes
    std::size_t taken = 0;  ///< bytes that the receiver has appended to its log
};

/// The hubs of all shards. A hub is added on its own thread before any hub posts, and removed when
/// no hub posts any more (io::barrier).
class relay {
 public:
    /// congested() is true above `limit` bytes in flight.
    relay(std::size_t shards, std::size_t limit) : hubs_(shards), limit_{limit} {}

    [[nodiscard]] std::size_t shards() const noexcept { return hubs_.size(); }
    void add_hub(std::size_t index, hub& h) noexcept { hubs_[index] = &h; }
    void remove_hub(std::size_t index) noexcept { hubs_[index] = nullptr; }
    /// Sends a batch to its hub. Any thread.
    void post(std::unique_ptr<batch> b) noexcept;
    /// True if a shard is so far behind that all shards should pause reading from members. Bytes in
    /// flight then stay below the limit plus the input of one turn. Any thread.
    [[nodiscard]] bool congested() const noexcept {
        return in_flight_.load(std::memory_order_relaxed) > limit_;
    }

 private:
    friend struct batch;
    std::vector<hub*> hubs_;
    std::size_t limit_;
    std::atomic<std::size_t> in_flight_ = 0;  // bytes
};

}  // namespace sluice::chat
