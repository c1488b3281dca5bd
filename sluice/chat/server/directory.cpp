// Implements directory: tables of names and of rooms behind one mutex.
#include "sluice/chat/server/directory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

#include "sluice/auth/secret.hpp"
#include "sluice/base/bytes.hpp"
#include "sluice/base/planted_bug.hpp"
#include "sluice/chat/server/names.hpp"

namespace sluice::chat {
namespace {

// In buckets; smaller tables are not shrunk.
constexpr std::size_t small_table = 1024;

}  // namespace

bool directory::admit(entry& e, std::size_t shard, std::size_t most) {
    {
        const std::lock_guard lock{mutex_};
        if (by_skeleton_.size() >= most) return false;
        e.id_ = ++last_id_;
    }
    e.shard_ = shard;
    e.name_ = fmt::format("Client {}", e.id_);
    // No member can take a name of this form (judge_nick()).
    auto key = skeleton(e.name_);
    const std::lock_guard lock{mutex_};
    if (by_skeleton_.size() >= most) return false;
    e.skeleton_ = &by_skeleton_.emplace(std::move(key), &e).first->first;
    return true;
}

void directory::remove(entry& e) noexcept {
    const std::lock_guard lock{mutex_};
    leave_room(e);
    if (e.skeleton_ == nullptr) return;
    by_skeleton_.erase(by_skeleton_.find(*std::exchange(e.skeleton_, nullptr)));
    shrink_names();
}

std::optional<std::string> directory::rename(entry& e, const std::string& to) {
    auto after = planted(bug::chat_lookalike_allowed) ? to : skeleton(to);
    std::string name = to;
    const std::lock_guard lock{mutex_};
    const auto found = by_skeleton_.find(after);
    if (found != by_skeleton_.end() && found->second != &e) return found->second->name_;
    auto node = by_skeleton_.extract(by_skeleton_.find(*e.skeleton_));
    node.key() = std::move(after);
    e.skeleton_ = &by_skeleton_.insert(std::move(node)).position->first;
    e.name_ = std::move(name);
    return std::nullopt;
}

bool directory::may_open(const std::string& room, std::size_t most) const {
    const std::lock_guard lock{mutex_};
    return rooms_.contains(room) || rooms_.size() < most;
}

bool directory::move(entry& e, const std::string& room, std::size_t most) {
    const std::lock_guard lock{mutex_};
    if (!rooms_.contains(room) && rooms_.size() >= most) return false;
    std::list<entry*> single{&e};
    auto& found = *rooms_.try_emplace(room).first;
    // Enters before it leaves: it may be the same room, which ends with its last member.
    auto& members = found.second.members;
    members.splice(members.end(), single);
    leave_room(e);
    e.room_ = &found;
    e.position_ = std::prev(members.end());
    return true;
}

std::optional<directory::location> directory::find(std::string_view name) const {
    const auto key = skeleton(name);
    location found;
    {
        const std::lock_guard lock{mutex_};
        const auto at = by_skeleton_.find(key);
        if (at == by_skeleton_.end()) return std::nullopt;
        const entry& e = *at->second;
        found = {.id = e.id_, .shard = e.shard_, .name = e.name_};
    }
    if (!same_letters(found.name, name)) return std::nullopt;
    return found;
}

std::vector<std::string> directory::names_in(const std::string& room, std::size_t most) const {
    std::vector<std::string> names;
    const std::lock_guard lock{mutex_};
    const auto at = rooms_.find(room);
    if (at == rooms_.end()) return names;
    const auto& members = at->second.members;
    names.reserve(std::min(most, members.size()));
    for (const entry* e : members) {
        if (names.size() == most) break;
        names.push_back(e->name_);
    }
    return names;
}

std::size_t directory::members_of(const std::string& room) const {
    const std::lock_guard lock{mutex_};
    const auto at = rooms_.find(room);
    return at == rooms_.end() ? 0 : at->second.members.size();
}

std::vector<std::pair<std::string, std::size_t>> directory::rooms(std::size_t most) const {
    std::vector<std::pair<std::string, std::size_t>> all;
    const std::lock_guard lock{mutex_};
    all.reserve(std::min(most, rooms_.size()));
    for (const auto& [name, record] : rooms_) {
        if (all.size() == most) break;
        all.emplace_back(name, record.members.size());
    }
    return all;
}

std::size_t directory::room_count() const {
    const std::lock_guard lock{mutex_};
    return rooms_.size();
}

/// Shrinks the table after a burst of members, if there is memory for the rehash.
void directory::shrink_names() noexcept {
    if (by_skeleton_.bucket_count() <= std::max(small_table, 8 * by_skeleton_.size())) return;
    try {
        by_skeleton_.rehash(2 * by_skeleton_.size());
    } catch (const std::bad_alloc&) {
        return;
    }
}

void directory::leave_room(entry& e) noexcept {
    if (e.room_ == nullptr) return;
    auto& [name, record] = *std::exchange(e.room_, nullptr);
    record.members.erase(e.position_);
    end_if_unused(name);
}

void directory::end_if_unused(const std::string& room) noexcept {
    const auto at = rooms_.find(room);
    const auto& [members, topic, password] = at->second;
    if (members.empty() && topic.empty() && password.empty()) rooms_.erase(at);
}

std::string directory::topic_of(const std::string& room) const {
    const std::lock_guard lock{mutex_};
    const auto at = rooms_.find(room);
    return at == rooms_.end() ? std::string{} : at->second.topic;
}

void directory::set_topic(const std::string& room, std::string text) {
    const std::lock_guard lock{mutex_};
    const auto at = rooms_.find(room);
    if (at != rooms_.end()) at->second.topic = std::move(text);
}

bool directory::has_password(const std::string& room) const {
    const std::lock_guard lock{mutex_};
    const auto at = rooms_.find(room);
    return at != rooms_.end() && !at->second.password.empty();
}

bool directory::lets_in(const std::string& room, std::string_view password) const {
    const std::lock_guard lock{mutex_};
    const auto at = rooms_.find(room);
    if (at == rooms_.end() || at->second.password.empty()) return true;
    return auth::equal_in_constant_time(as_bytes(at->second.password), as_bytes(password));
}

void directory::set_password(const std::string& room, std::string password) {
    const std::lock_guard lock{mutex_};
    const auto at = rooms_.find(room);
    if (at != rooms_.end()) at->second.password = std::move(password);
}

}  // namespace sluice::chat
