// Members and rooms of the whole server, for all its shards: names, and who is in which room.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sluice/chat/server/log.hpp"

namespace sluice::chat {

/// Names are unique in the whole server, those that look alike included (skeleton()). Asked when
/// members come, go and look around, never for a message. Any thread. No call takes longer with the
/// number of members, nor with the number of rooms; one that lists takes as long as its list.
class directory {
 public:
    /// What the directory knows of one member. Lives in the member, at the same place from admit()
    /// to remove(). The member's own thread reads it as it likes and changes nothing.
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
        const std::string* skeleton_ = nullptr;  // its key in the table of names, while it has one
        std::pair<const std::string, std::list<entry*>>* room_ = nullptr;
        std::list<entry*>::iterator place_;  // in its room
    };

    /// `told` hears how many members there are, after each that comes or goes: from any thread, in
    /// no order where they come and go at the same time. Must not throw. Before the first comes.
    void on_count(std::function<void(std::size_t)> told) { counted_ = std::move(told); }

    /// A newcomer, called "Client N". False if there are `most` already.
    [[nodiscard]] bool admit(entry& who, std::size_t shard, std::size_t most);
    /// Nothing if it is not known.
    void remove(entry& who) noexcept;
    /// None if the member is called `to` now; otherwise the name of another member that is the same
    /// or looks the same.
    [[nodiscard]] std::optional<std::string> rename(entry& who, const std::string& to);
    /// False if it would be a new room and there are `most` already.
    [[nodiscard]] bool may_open(const std::string& room, std::size_t most) const;
    /// False if the room would be a new one and there are `most` already.
    [[nodiscard]] bool move(entry& who, const std::string& room, std::size_t most);

    /// Where a member is.
    struct whereabouts {
        member_id id = 0;
        std::size_t shard = 0;
        std::string name;  ///< with its own capitals
    };
    /// The member of that name, whatever the case; not one that only looks like it.
    [[nodiscard]] std::optional<whereabouts> find(std::string_view name) const;
    /// The names of a room, at most `most` of them, in the order in which they entered it.
    [[nodiscard]] std::vector<std::string> names_in(const std::string& room,
                                                    std::size_t most) const;
    [[nodiscard]] std::size_t members_of(const std::string& room) const;
    /// At most `most` rooms by name, each with its number of members.
    [[nodiscard]] std::vector<std::pair<std::string, std::size_t>> rooms(std::size_t most) const;
    [[nodiscard]] std::size_t room_count() const;

 private:
    void leave_room(entry& who) noexcept;
    void give_back_names() noexcept;

    std::function<void(std::size_t)> counted_;
    mutable std::mutex mutex_;
    member_id last_ = 0;
    std::unordered_map<std::string, entry*> by_skeleton_;
    std::map<std::string, std::list<entry*>> rooms_;  // each with its members as they came
};

}  // namespace sluice::chat
