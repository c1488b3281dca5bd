// Defines registry: the accounts of a chat, and the names that are theirs.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "sluice/auth/line_login.hpp"
#include "sluice/os/mutex.hpp"

namespace sluice::chat {

/// Whom a chat lets in, and which names belong to accounts. Any thread.
class registry {
 public:
    /// A door with an authenticator; it outlives the registry.
    explicit registry(auth::line_door door) : door_{std::move(door)} {}

    [[nodiscard]] const auth::line_door& door() const noexcept { return door_; }
    /// The account whose name is this one or confusable with it; none if it is free for all. Throws
    /// std::bad_alloc.
    [[nodiscard]] std::optional<std::string> owner_of(std::string_view name);

 private:
    auth::line_door door_;
    os::mutex mutex_;
    // As they were when the accounts were those of `of_`; both are guarded by the mutex.
    std::unordered_map<std::string, std::string> by_skeleton_;
    std::shared_ptr<const auth::identity> of_;
};

}  // namespace sluice::chat
