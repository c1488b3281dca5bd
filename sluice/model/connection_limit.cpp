// Implements connection_limit: permits and waiters under one lock.
#include "sluice/model/connection_limit.hpp"

#include <mutex>

#include "sluice/base/check.hpp"

namespace sluice::model {

bool connection_limit::take_or_wait(acquiring& waiter) noexcept {
    const std::lock_guard lock{mutex_};
    if (free_ <= 0) {
        waiting_.push_back(waiter);
        return false;
    }
    if (!waiter.takes_permit_) return true;
    --free_;
    return true;
}

bool connection_limit::try_acquire() noexcept {
    const std::lock_guard lock{mutex_};
    if (free_ <= 0) return false;
    --free_;
    return true;
}

void connection_limit::release() noexcept {
    const std::lock_guard lock{mutex_};
    ++free_;
    grant();
}

void connection_limit::set_most(std::uint32_t most) noexcept {
    const std::lock_guard lock{mutex_};
    free_ += most - most_;
    most_ = most;
    grant();
}

void connection_limit::grant() noexcept {
    while (free_ > 0 && !waiting_.empty()) {
        --free_;
        acquiring& next = waiting_.pop_front();
        // Within the lock: withdraw() must not run between the two steps.
        next.engine_.post(next);
    }
}

bool connection_limit::withdraw(acquiring& waiter) noexcept {
    const std::lock_guard lock{mutex_};
    if (!waiter.list_hook<waiting_tag>::linked()) return false;
    waiter.list_hook<waiting_tag>::unlink();
    return true;
}

// For a coroutine that is destroyed while it waits.
void connection_limit::acquiring::abandon() noexcept {
    if (resumable::linked()) {
        resumable::unlink();
        if (granted_) owner_.release();
    } else {
        check(owner_.withdraw(*this),
              "a coroutine is destroyed while a permit is on its way to it");
    }
}

void connection_limit::acquiring::arrive(message& m) noexcept {
    auto& self = static_cast<acquiring&>(m);
    self.granted_ = true;
    self.engine_.ready().push(self);
}

void connection_limit::acquiring::on_cancel(cancel_hook& hook) noexcept {
    auto& self = static_cast<acquiring&>(hook);
    // Its permit is on its way.
    if (!self.owner_.withdraw(self)) return;
    self.outcome_ = failure(fault::cancelled);
    self.engine_.ready().push(self);
}

}  // namespace sluice::model
