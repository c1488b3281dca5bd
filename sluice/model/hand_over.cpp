// A letter that is posted at most once at a time, for all who wait.
#include "sluice/model/hand_over.hpp"

#include <new>
#include <utility>

namespace sluice::model {

hand_over::hand_over(std::function<void(client)> take)
    : letter{[](letter& l) noexcept { static_cast<hand_over&>(l).deliver(); }},
      take_{std::move(take)} {}

bool hand_over::give(client& who) noexcept {
    const std::lock_guard lock{mutex_};
    if (there_ == nullptr) return false;
    try {
        waiting_.push_back(std::move(who));
    } catch (const std::bad_alloc&) {
        return false;
    }
    if (!std::exchange(posted_, true)) there_->post(*this);
    return true;
}

void hand_over::open(io::engine& here) noexcept {
    const std::lock_guard lock{mutex_};
    there_ = &here;
}

std::vector<hand_over::client> hand_over::close() noexcept {
    const std::lock_guard lock{mutex_};
    there_ = nullptr;
    return std::exchange(waiting_, {});
}

bool hand_over::quiet() noexcept {
    const std::lock_guard lock{mutex_};
    return !posted_;
}

void hand_over::deliver() noexcept {
    std::vector<client> now;
    {
        const std::lock_guard lock{mutex_};
        posted_ = false;
        now.swap(waiting_);
    }
    for (auto& each : now) take_(std::move(each));
}

}  // namespace sluice::model
