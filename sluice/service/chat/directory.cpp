// Two tables behind one lock.
#include "sluice/service/chat/directory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>

#include "sluice/service/chat/names.hpp"

namespace sluice::service::chat {

std::size_t directory::folded_hash::operator()(std::string_view name) const {
    return std::hash<std::string>{}(folded(name));
}

bool directory::folded_equal::operator()(std::string_view a, std::string_view b) const {
    return a.size() == b.size() && folded(a) == folded(b);
}

std::optional<directory::newcomer> directory::admit(std::size_t shard, std::size_t most) {
    const std::lock_guard lock{mutex_};
    if (members_.size() >= most) return std::nullopt;
    newcomer who{.id = ++last_, .name = fmt::format("Client {}", last_)};
    members_.emplace(who.name, entry{.id = who.id, .shard = static_cast<std::uint32_t>(shard)});
    return who;
}

void directory::remove(std::string_view name) {
    const std::lock_guard lock{mutex_};
    const auto at = members_.find(name);
    if (at == members_.end()) return;
    leave_room(at->second);
    members_.erase(at);
}

bool directory::rename(std::string_view from, const std::string& to) {
    const std::lock_guard lock{mutex_};
    const auto at = members_.find(from);
    const auto there = members_.find(to);
    if (there != members_.end() && there != at) return false;
    auto node = members_.extract(at);
    node.key() = to;
    members_.insert(std::move(node));
    return true;
}

bool directory::may_open(const std::string& room, std::size_t most) const {
    const std::lock_guard lock{mutex_};
    return rooms_.contains(room) || rooms_.size() < most;
}

bool directory::move(std::string_view name, const std::string& room, std::size_t most) {
    const std::lock_guard lock{mutex_};
    if (!rooms_.contains(room) && rooms_.size() >= most) return false;
    entry& e = members_.find(name)->second;
    leave_room(e);
    e.room = &*rooms_.try_emplace(room).first;
    ++e.room->second;
    return true;
}

std::optional<directory::whereabouts> directory::find(std::string_view name) const {
    const std::lock_guard lock{mutex_};
    const auto at = members_.find(name);
    if (at == members_.end()) return std::nullopt;
    return whereabouts{.id = at->second.id, .shard = at->second.shard, .name = at->first};
}

std::vector<std::string> directory::names_in(const std::string& room, std::size_t most) const {
    std::vector<std::pair<member_id, std::string>> found;
    {
        const std::lock_guard lock{mutex_};
        for (const auto& [name, e] : members_) {
            if (e.room == nullptr || e.room->first != room) continue;
            found.emplace_back(e.id, name);
            // The table has no order that means anything: keep the first ones to come.
            std::push_heap(found.begin(), found.end());
            if (found.size() <= most) continue;
            std::pop_heap(found.begin(), found.end());
            found.pop_back();
        }
    }
    std::sort_heap(found.begin(), found.end());
    std::vector<std::string> names;
    names.reserve(found.size());
    for (auto& [id, name] : found) names.push_back(std::move(name));
    return names;
}

std::size_t directory::members_of(const std::string& room) const {
    const std::lock_guard lock{mutex_};
    const auto at = rooms_.find(room);
    return at == rooms_.end() ? 0 : at->second;
}

std::vector<std::pair<std::string, std::size_t>> directory::rooms(std::size_t most) const {
    const std::lock_guard lock{mutex_};
    const auto count = static_cast<std::ptrdiff_t>(std::min(most, rooms_.size()));
    return {rooms_.begin(), std::next(rooms_.begin(), count)};
}

std::size_t directory::room_count() const {
    const std::lock_guard lock{mutex_};
    return rooms_.size();
}

void directory::leave_room(entry& e) {
    if (e.room == nullptr) return;
    if (--e.room->second == 0) rooms_.erase(e.room->first);
    e.room = nullptr;
}

}  // namespace sluice::service::chat
