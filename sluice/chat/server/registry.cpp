// Implements registry: a table of the skeletons of accounts' names, made anew after a reload.
#include "sluice/chat/server/registry.hpp"

#include <algorithm>
#include <mutex>

#include "sluice/chat/server/names.hpp"

namespace sluice::chat {

bool registry::is_operator(const auth::identity* who) const noexcept {
    return who != nullptr && !who->name.empty() &&
           std::ranges::find(operators_, who->name) != operators_.end();
}

std::optional<std::string> registry::owner_of(std::string_view name) {
    const auto key = skeleton(name);
    const auto now = door_.who->anonymous();
    const std::lock_guard lock{mutex_};
    if (of_ != now) {
        by_skeleton_.clear();
        of_ = nullptr;
        for (auto& each : door_.who->names()) {
            auto made = skeleton(each);
            by_skeleton_.emplace(std::move(made), std::move(each));
        }
        of_ = now;
    }
    const auto at = by_skeleton_.find(key);
    return at == by_skeleton_.end() ? std::nullopt : std::optional{at->second};
}

}  // namespace sluice::chat
