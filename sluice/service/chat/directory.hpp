// Who is in the server and where, for all its shards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sluice/service/chat/log.hpp"

namespace sluice::service::chat {

/// Names are unique in the whole server, so somebody has to know them all. Asked when people come,
/// go, and look around, never for a message. Any thread.
class directory {
 public:
    struct newcomer {
        member_id id = 0;
        std::string name;
    };
    /// A newcomer, called "Client N". None if there are `most` already.
    [[nodiscard]] std::optional<newcomer> admit(std::size_t shard, std::size_t most);
    void remove(std::string_view name);
    /// False if somebody else has the name `to`, or one that differs only in capitals.
    [[nodiscard]] bool rename(std::string_view from, const std::string& to);
    /// False if it would be a new room and there are `most` already.
    [[nodiscard]] bool may_open(const std::string& room, std::size_t most) const;
    /// False if the room would be a new one and there are `most` already.
    [[nodiscard]] bool move(std::string_view name, const std::string& room, std::size_t most);

    /// Where somebody is.
    struct whereabouts {
        member_id id = 0;
        std::size_t shard = 0;
        std::string name;  ///< with its own capitals
    };
    [[nodiscard]] std::optional<whereabouts> find(std::string_view name) const;
    /// The names of a room, at most `most` of them, in the order of their coming.
    [[nodiscard]] std::vector<std::string> names_in(const std::string& room,
                                                    std::size_t most) const;
    [[nodiscard]] std::size_t members_of(const std::string& room) const;
    /// At most `most` rooms by name, each with its number of members.
    [[nodiscard]] std::vector<std::pair<std::string, std::size_t>> rooms(std::size_t most) const;
    [[nodiscard]] std::size_t room_count() const;

 private:
    using room_table = std::map<std::string, std::size_t>;  // members of each
    struct entry {
        member_id id = 0;
        room_table::value_type* room = nullptr;
        std::uint32_t shard = 0;
    };
    /// Names that differ only in ASCII capitals are one.
    struct folded_hash {
        using is_transparent = void;
        [[nodiscard]] std::size_t operator()(std::string_view name) const;
    };
    struct folded_equal {
        using is_transparent = void;
        [[nodiscard]] bool operator()(std::string_view a, std::string_view b) const;
    };

    void leave_room(entry& e);

    mutable std::mutex mutex_;
    member_id last_ = 0;
    std::unordered_map<std::string, entry, folded_hash, folded_equal> members_;
    room_table rooms_;
};

}  // namespace sluice::service::chat
