// A room on one shard: its log, and the members there who read it.
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

/// A message is written to the log once, whatever the number of members, and read from there by
/// each at its own pace. A member whom the window passes is skipped ahead or hung up on, so nobody
/// waits for anybody. Thread of its shard.
class room : public list_hook<changed_rooms_tag> {
 public:
    /// `host` outlives it.
    room(std::string name, std::size_t home, member_host& host) noexcept;
    room(const room&) = delete;
    room& operator=(const room&) = delete;
    ~room();

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] const log& lines() const noexcept { return log_; }
    /// What other shards have to do with the room: the hub's own account.
    struct relations {
        std::size_t home = 0;             ///< the shard that orders its lines
        std::vector<std::size_t> copies;  ///< shards with members of it; at its home only
        std::uint64_t ticket = 0;         ///< of the history that is still to come; elsewhere only
        std::unique_ptr<batch> goodbye;   ///< to the home, when the copy ends; elsewhere only
    };
    relations elsewhere;

    /// Members on this shard.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// Writes `count` lines of one author; the last piece ends in a newline. `speaker`, if it is
    /// here, does not get them back.
    void append(author from, member* speaker, std::initializer_list<std::string_view> pieces,
                std::size_t count);
    /// What a newcomer is shown: no more than half a window, or whatever is said next would pass
    /// it.
    [[nodiscard]] log::tail history() const noexcept {
        return log_.last_words(host_.allowed().history, log_.window() / 2);
    }
    /// `m` reads from now on, after the last lines that were said, which it is told are history.
    void enter(member& m);
    /// What lies in the log was said before `m` came. Without memory to say so, `m` gives up.
    void show_history(member& m) noexcept;
    /// What `m` has not taken by now, it has missed.
    void leave(member& m) noexcept;
    /// Sends to everybody what they have not seen.
    void flush() noexcept;
    template <class F>
    void for_each_member(F f) noexcept {
        members_.for_each(f);
    }

 private:
    void overtake(position begin) noexcept;
    void dismiss_slow(member& m) const noexcept;

    std::string name_;
    log log_;
    member_host& host_;
    intrusive_list<member, room_members_tag> members_;
    std::size_t size_ = 0;
    position slowest_ = 0;  // no cursor is before this
    position flushed_ = 0;  // what lies before this was laid before everybody
};

}  // namespace sluice::chat
