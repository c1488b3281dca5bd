// Defines registry: the accounts of a chat, and the names that are theirs.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sluice/auth/failure_limit.hpp"
#include "sluice/auth/line_login.hpp"
#include "sluice/chat/server/bans.hpp"
#include "sluice/os/mutex.hpp"

namespace sluice::chat {

/// Whom a chat lets in, and which names belong to accounts. Any thread.
class registry {
 public:
    /// A door with an authenticator, which outlives the registry; `operators` are names of
    /// accounts.
    explicit registry(auth::line_door door, std::vector<std::string> operators = {})
        : door_{std::move(door)}, operators_{std::move(operators)} {}

    [[nodiscard]] const auth::line_door& door() const noexcept { return door_; }
    /// Null is none.
    [[nodiscard]] bool is_operator(const auth::identity* who) const noexcept;
    [[nodiscard]] bans& banned() noexcept { return bans_; }
    /// Wrong passwords of rooms, by network.
    [[nodiscard]] auth::failure_limit& guesses() noexcept { return guesses_; }
    /// The account whose name is this one or confusable with it; none if it is free for all. Throws
    /// std::bad_alloc.
    [[nodiscard]] std::optional<std::string> owner_of(std::string_view name);

 private:
    auth::line_door door_;
    std::vector<std::string> operators_;
    bans bans_;
    auth::failure_limit guesses_;
    os::mutex mutex_;
    // As they were when the accounts were those of `of_`; both are guarded by the mutex.
    std::unordered_map<std::string, std::string> by_skeleton_;
    std::shared_ptr<const auth::identity> of_;
};

}  // namespace sluice::chat
