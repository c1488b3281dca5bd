// Defines directory: the names and rooms of all members of a chat server, shared by its shards.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sluice/chat/server/log.hpp"
#include "sluice/os/mutex.hpp"

namespace sluice::chat {

/// Keeps names unique in the whole server, confusable names included (skeleton()). Used when a
/// member joins, leaves or lists, never for a message. Any thread. The time of a call does not grow
/// with the number of members or rooms, except with the length of a list.
class directory {
 public:
    class entry;
    /// A room as all shards see it. Without members it ends, unless an operator has changed it.
    struct room_record {
        std::list<entry*> members = {};  ///< in order of entry
        std::string topic = {};
        std::string password = {};  ///< empty: it is open to all
    };

    /// The directory's record of one member. Owned by the member; must not move from admit() to
    /// remove(). The member's own thread may read it without the mutex, and does not change it.
    class entry {
     public:
        entry() noexcept = default;
        entry(const entry&) = delete;
        entry& operator=(const entry&) = delete;

        /// From 1, never reused; 0 before admit().
        [[nodiscard]] member_id id() const noexcept { return id_; }
        [[nodiscard]] const std::string& name() const noexcept { return name_; }

     private:
        friend class directory;
        member_id id_ = 0;
        std::size_t shard_ = 0;
        std::string name_;
        const std::string* skeleton_ = nullptr;  // its key in by_skeleton_, or null
        std::pair<const std::string, room_record>* room_ = nullptr;
        std::list<entry*>::iterator position_;  // in its room
    };

    /// A connection that is not admitted yet: it makes a handshake, or is asked who it is.
    class newcomer {
     public:
        /// Counts it until it dies; the directory outlives it.
        explicit newcomer(directory& d) noexcept
            : directory_{d}, others_{d.newcomers_.fetch_add(1, std::memory_order_relaxed)} {}
        newcomer(const newcomer&) = delete;
        newcomer& operator=(const newcomer&) = delete;
        ~newcomer() { directory_.newcomers_.fetch_sub(1, std::memory_order_relaxed); }

        /// How many there were before it.
        [[nodiscard]] std::size_t others() const noexcept { return others_; }

     private:
        directory& directory_;
        std::size_t others_;
    };

    /// Adds a member named "Client N". False if there are `most` already.
    [[nodiscard]] bool admit(entry& e, std::size_t shard, std::size_t most);
    /// Does nothing if it was not admitted.
    void remove(entry& e) noexcept;
    /// Renames the member to `to`. None on success; else the name of another member that is the
    /// same or confusable.
    [[nodiscard]] std::optional<std::string> rename(entry& e, const std::string& to);
    /// False if `room` does not exist and there are `most` already.
    [[nodiscard]] bool may_open(const std::string& room, std::size_t most) const;
    /// Moves the member to `room`. False as may_open().
    [[nodiscard]] bool move(entry& e, const std::string& room, std::size_t most);

    /// The id, shard and name of a member.
    struct location {
        member_id id = 0;
        std::size_t shard = 0;
        std::string name;  ///< with the capitals it was given
    };
    /// The member of that name, case ignored; not one that is merely confusable.
    [[nodiscard]] std::optional<location> find(std::string_view name) const;
    /// The names of at most `most` members of a room, in the order in which they entered.
    [[nodiscard]] std::vector<std::string> names_in(const std::string& room,
                                                    std::size_t most) const;
    [[nodiscard]] std::size_t members_of(const std::string& room) const;
    /// At most `most` rooms in order of name, each with its number of members.
    [[nodiscard]] std::vector<std::pair<std::string, std::size_t>> rooms(std::size_t most) const;
    [[nodiscard]] std::size_t room_count() const;

    /// Of a room that exists; empty of all others.
    [[nodiscard]] std::string topic_of(const std::string& room) const;
    void set_topic(const std::string& room, std::string text);
    [[nodiscard]] bool has_password(const std::string& room) const;
    /// Whether the room has this password or none, in constant time.
    [[nodiscard]] bool lets_in(const std::string& room, std::string_view password) const;
    void set_password(const std::string& room, std::string password);

 private:
    void leave_room(entry& e) noexcept;
    void end_if_unused(const std::string& room) noexcept;
    void shrink_names() noexcept;

    std::atomic<std::size_t> newcomers_ = 0;
    mutable os::mutex mutex_;
    member_id last_id_ = 0;
    std::unordered_map<std::string, entry*> by_skeleton_;
    std::map<std::string, room_record> rooms_;
};

}  // namespace sluice::chat
