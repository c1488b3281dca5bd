// Defines room: the log of a chat room on one shard, and the members that read it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/base/intrusive_list.hpp"
#include "sluice/chat/server/limits.hpp"
#include "sluice/chat/server/log.hpp"
#include "sluice/chat/server/member.hpp"

namespace sluice::chat {

struct batch;
struct changed_rooms_tag;

/// Writes a message to the log once, whatever the number of members; each member reads it there at
/// its own pace. A member whose cursor leaves the window is skipped ahead or disconnected, so no
/// member waits for another. Thread of its shard.
class room : public list_hook<changed_rooms_tag> {
 public:
    /// `host` outlives the room.
    room(std::string name, std::size_t home_shard, member_host& host) noexcept;
    room(const room&) = delete;
    room& operator=(const room&) = delete;
    ~room();

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] const log& lines() const noexcept { return log_; }
    /// How the room is shared between shards; maintained by the hub.
    struct shard_links {
        std::size_t home_shard = 0;       ///< index of the shard that orders its lines
        std::vector<std::size_t> copies;  ///< shards with a copy; on the home shard only
        std::uint64_t ticket = 0;         ///< of the history that is awaited; in a copy only
        std::unique_ptr<batch> unsubscribe_message;  ///< sent to the home shard when the copy ends
    };
    shard_links links;

    /// Members on this shard.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// Writes `count` lines of one author; the last piece ends in a newline. `speaker`, the author
    /// if it is a member on this shard, does not receive them.
    void append(author from, member* speaker, std::initializer_list<std::string_view> pieces,
                std::size_t count);
    /// The lines that a new member is shown: at most half a window, so that the next lines do not
    /// make it skip.
    [[nodiscard]] log::tail history() const noexcept {
        return log_.last_words(host_.allowed().history, log_.window() / 2);
    }
    /// `m` reads the history, marked as such, and all later lines.
    void enter(member& m);
    /// Shows `m` the log as history. Without memory for the header line, `m` gives up.
    void show_history(member& m) noexcept;
    /// Removes `m`, after one more send; lines not sent by then count as missed.
    void leave(member& m) noexcept;
    /// Sends every member the lines it has not been sent.
    void flush() noexcept;
    template <class F>
    void for_each_member(F f) noexcept {
        members_.for_each(f);
    }

 private:
    void skip_slow_members(position begin) noexcept;
    void dismiss_slow(member& m) const noexcept;

    std::string name_;
    log log_;
    member_host& host_;
    intrusive_list<member, room_members_tag> members_;
    std::size_t size_ = 0;
    position min_cursor_ = 0;  // no cursor is before this
    position flushed_ = 0;     // lines before this were delivered to all members
};

}  // namespace sluice::chat
