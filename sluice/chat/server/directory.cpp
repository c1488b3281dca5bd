// Two tables behind one lock, which is never held for longer than one entry or one list takes.
#include "sluice/chat/server/directory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

#include "sluice/chat/server/names.hpp"

namespace sluice::chat {
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
        who.skeleton_ = &by_skeleton_.emplace(std::move(key), &who).first->first;
        members = by_skeleton_.size();
    }
    if (counted_) counted_(members);
    return true;
}

void directory::remove(entry& who) noexcept {
    std::size_t members = 0;
    {
        const std::lock_guard lock{mutex_};
        leave_room(who);
        if (who.skeleton_ == nullptr) return;
        by_skeleton_.erase(by_skeleton_.find(*std::exchange(who.skeleton_, nullptr)));
        members = by_skeleton_.size();
        give_back_names();
    }
    if (counted_) counted_(members);
}

std::optional<std::string> directory::rename(entry& who, const std::string& to) {
    auto after = skeleton(to);
    std::string name = to;
    const std::lock_guard lock{mutex_};
    const auto there = by_skeleton_.find(after);
    if (there != by_skeleton_.end() && there->second != &who) return there->second->name_;
    auto node = by_skeleton_.extract(by_skeleton_.find(*who.skeleton_));
    node.key() = std::move(after);
    who.skeleton_ = &by_skeleton_.insert(std::move(node)).position->first;
    who.name_ = std::move(name);
    return std::nullopt;
}

bool directory::may_open(const std::string& room, std::size_t most) const {
    const std::lock_guard lock{mutex_};
    return rooms_.contains(room) || rooms_.size() < most;
}

bool directory::move(entry& who, const std::string& room, std::size_t most) {
    const std::lock_guard lock{mutex_};
    if (!rooms_.contains(room) && rooms_.size() >= most) return false;
    std::list<entry*> place{&who};
    auto& there = *rooms_.try_emplace(room).first;
    // First in, then out: it may be the same room, which ends with its last member.
    there.second.splice(there.second.end(), place);
    leave_room(who);
    who.room_ = &there;
    who.place_ = std::prev(there.second.end());
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

/// What a burst of members needed is given back when they have gone, if there is memory to do it.
void directory::give_back_names() noexcept {
    if (by_skeleton_.bucket_count() <= std::max(small_table, 8 * by_skeleton_.size())) return;
    try {
        by_skeleton_.rehash(2 * by_skeleton_.size());
    } catch (const std::bad_alloc&) {
        return;
    }
}

void directory::leave_room(entry& who) noexcept {
    if (who.room_ == nullptr) return;
    auto& [name, members] = *who.room_;
    members.erase(who.place_);
    if (members.empty()) rooms_.erase(rooms_.find(name));
    who.room_ = nullptr;
}

}  // namespace sluice::chat
