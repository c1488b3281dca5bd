// Mail between the hubs: what was said on one shard, for those who listen on another.
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

namespace sluice::chat {

class hub;
class relay;

/// One letter: all that one turn of one shard has to say to another about one room.
struct batch : io::letter {
    enum class purpose : std::uint8_t {
        said,         ///< to the home of the room: lines of members elsewhere
        heard,        ///< from the home: lines for the copy
        history,      ///< from the home: what was said before, once a subscription
        subscribe,    ///< to the home: a copy begins
        unsubscribe,  ///< to the home: it ends
        whisper,      ///< a line for one member
    };

    batch(relay& r, std::size_t from_shard, std::size_t to_shard, purpose p, std::string room_name);
    /// Adds a line, or several, of one author; nothing where it throws std::bad_alloc.
    void add(author by, std::initializer_list<std::string_view> pieces);

    relay& owner;
    std::size_t from;
    std::size_t to;
    purpose why;
    std::uint64_t ticket = 0;  ///< of a subscription, and of the history that answers it
    std::string room;          ///< for a whisper, nothing
    std::string bytes;
    std::size_t weight = 0;  ///< what it counts for while it is under way: its memory, in bytes
    std::vector<std::pair<author, std::size_t>> stretches;  ///< who wrote how many of the bytes
    std::size_t taken = 0;  ///< of the bytes, what the other side has in its log
};

/// Knows the hubs of all shards. Each is enlisted, on its own thread, before any of them posts, and
/// is retired when none posts any more (io::barrier).
class relay {
 public:
    /// With more than `most` bytes under way, crowded() says so.
    relay(std::size_t shards, std::size_t most) : hubs_(shards), most_{most} {}

    [[nodiscard]] std::size_t shards() const noexcept { return hubs_.size(); }
    void enlist(std::size_t index, hub& h) noexcept { hubs_[index] = &h; }
    void retire(std::size_t index) noexcept { hubs_[index] = nullptr; }
    /// Any thread: hands a letter over.
    void post(std::unique_ptr<batch> b) noexcept;
    /// Any thread: some shard is so far behind with its mail that nobody should be listened to for
    /// a moment. What is under way then stays within the limit and what one turn reads.
    [[nodiscard]] bool crowded() const noexcept {
        return under_way_.load(std::memory_order_relaxed) > most_;
    }

 private:
    friend struct batch;
    std::vector<hub*> hubs_;
    std::size_t most_;
    std::atomic<std::size_t> under_way_ = 0;  // bytes
};

}  // namespace sluice::chat
