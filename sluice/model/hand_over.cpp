// Implements hand_over: a message that is posted at most once at a time, for all waiting clients.
#include "sluice/model/hand_over.hpp"

#include <mutex>
#include <new>
#include <utility>

namespace sluice::model {

hand_over::hand_over(std::function<void(client)> take)
    : message{[](message& m) noexcept { static_cast<hand_over&>(m).deliver(); }},
      take_{std::move(take)} {}

bool hand_over::give(client& accepted) noexcept {
    const std::lock_guard lock{mutex_};
    if (engine_ == nullptr) return false;
    try {
        waiting_.push_back(std::move(accepted));
    } catch (const std::bad_alloc&) {
        return false;
    }
    if (!std::exchange(posted_, true)) engine_->post(*this);
    return true;
}

void hand_over::open(io::engine& engine) noexcept {
    const std::lock_guard lock{mutex_};
    engine_ = &engine;
}

std::vector<hand_over::client> hand_over::close() noexcept {
    const std::lock_guard lock{mutex_};
    engine_ = nullptr;
    return std::exchange(waiting_, {});
}

bool hand_over::idle() noexcept {
    const std::lock_guard lock{mutex_};
    return !posted_;
}

void hand_over::deliver() noexcept {
    std::vector<client> arrived;
    {
        const std::lock_guard lock{mutex_};
        posted_ = false;
        arrived.swap(waiting_);
    }
    for (auto& each : arrived) take_(std::move(each));
}

}  // namespace sluice::model
