// Two tables behind one lock, which is never held for longer than one entry or one list takes.
#include "sluice/service/chat/directory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "sluice/service/chat/names.hpp"

namespace sluice::service::chat {
namespace {

// Below this a table is not worth making smaller.
constexpr std::size_t small_table = 1024;

}  // namespace

bool directory::admit(entry& who, std::size_t shard, std::size_t most) {
    {
        const std::lock_guard lock{mutex_};
        if (by_skeleton_.size() >= most) return false;
        who.id_ = ++last_;
    }
    who.shard_ = shard;
    who.name_ = fmt::format("Client {}", who.id_);
    // No member can have taken that name.
    auto key = skeleton(who.name_);
    std::size_t members = 0;
    {
        const std::lock_guard lock{mutex_};
        if (by_skeleton_.size() >= most) return false;
        by_skeleton_.emplace(std::move(key), &who);
        members = by_skeleton_.size();
    }
    if (counted_) counted_(members);
    return true;
}

void directory::remove(entry& who) {
    const auto key = skeleton(who.name_);
    std::size_t members = 0;
    {
        const std::lock_guard lock{mutex_};
        leave_room(who);
        by_skeleton_.erase(key);
        members = by_skeleton_.size();
        // What a burst of members needed is given back when they have gone.
        if (by_skeleton_.bucket_count() > std::max(small_table, 8 * members)) {
            by_skeleton_.rehash(2 * members);
        }
    }
    if (counted_) counted_(members);
}

std::optional<std::string> directory::rename(entry& who, const std::string& to) {
    const auto before = skeleton(who.name_);
    auto after = skeleton(to);
    const std::lock_guard lock{mutex_};
    const auto there = by_skeleton_.find(after);
    if (there != by_skeleton_.end() && there->second != &who) return there->second->name_;
    auto node = by_skeleton_.extract(before);
    node.key() = std::move(after);
    by_skeleton_.insert(std::move(node));
    who.name_ = to;
    return std::nullopt;
}

bool directory::may_open(const std::string& room, std::size_t most) const {
    const std::lock_guard lock{mutex_};
    return rooms_.contains(room) || rooms_.size() < most;
}

bool directory::move(entry& who, const std::string& room, std::size_t most) {
    const std::lock_guard lock{mutex_};
    if (!rooms_.contains(room) && rooms_.size() >= most) return false;
    leave_room(who);
    who.room_ = &*rooms_.try_emplace(room).first;
    auto& members = who.room_->second;
    who.place_ = members.insert(members.end(), &who);
    return true;
}

std::optional<directory::whereabouts> directory::find(std::string_view name) const {
    const auto key = skeleton(name);
    whereabouts found;
    {
        const std::lock_guard lock{mutex_};
        const auto at = by_skeleton_.find(key);
        if (at == by_skeleton_.end()) return std::nullopt;
        const entry& who = *at->second;
        found = {.id = who.id_, .shard = who.shard_, .name = who.name_};
    }
    if (!same_letters(found.name, name)) return std::nullopt;
    return found;
}

std::vector<std::string> directory::names_in(const std::string& room, std::size_t most) const {
    std::vector<std::string> names;
    const std::lock_guard lock{mutex_};
    const auto at = rooms_.find(room);
    if (at == rooms_.end()) return names;
    names.reserve(std::min(most, at->second.size()));
    for (const entry* who : at->second) {
        if (names.size() == most) break;
        names.push_back(who->name_);
    }
    return names;
}

std::size_t directory::members_of(const std::string& room) const {
    const std::lock_guard lock{mutex_};
    const auto at = rooms_.find(room);
    return at == rooms_.end() ? 0 : at->second.size();
}

std::vector<std::pair<std::string, std::size_t>> directory::rooms(std::size_t most) const {
    std::vector<std::pair<std::string, std::size_t>> all;
    const std::lock_guard lock{mutex_};
    all.reserve(std::min(most, rooms_.size()));
    for (const auto& [name, members] : rooms_) {
        if (all.size() == most) break;
        all.emplace_back(name, members.size());
    }
    return all;
}

std::size_t directory::room_count() const {
    const std::lock_guard lock{mutex_};
    return rooms_.size();
}

void directory::leave_room(entry& who) {
    if (who.room_ == nullptr) return;
    auto& [name, members] = *who.room_;
    members.erase(who.place_);
    if (members.empty()) rooms_.erase(rooms_.find(name));
    who.room_ = nullptr;
}

}  // namespace sluice::service::chat
