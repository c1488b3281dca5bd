// A seat goes from hand to hand under one lock.
#include "sluice/model/seats.hpp"

namespace sluice::model {

bool seats::take_or_wait(taking& who) noexcept {
    const std::lock_guard lock{mutex_};
    if (free_ == 0) {
        waiting_.push_back(who);
        return false;
    }
    if (!who.keeps_) return true;
    --free_;
    return true;
}

void seats::give_back() noexcept {
    const std::lock_guard lock{mutex_};
    if (waiting_.empty()) {
        ++free_;
        return;
    }
    taking& next = waiting_.pop_front();
    // Within the lock: a withdrawal that comes now must find the letter on its way.
    next.here_.post(next);
}

bool seats::withdraw(taking& who) noexcept {
    const std::lock_guard lock{mutex_};
    if (!who.list_hook<seat_tag>::linked()) return false;
    who.list_hook<seat_tag>::unlink();
    return true;
}

void seats::taking::arrive(letter& l) noexcept {
    auto& self = static_cast<taking&>(l);
    self.handed_over_ = true;
    self.here_.ready().push(self);
}

void seats::taking::on_cancel(cancel_hook& hook) noexcept {
    auto& self = static_cast<taking&>(hook);
    // One that was handed over is on its way.
    if (!self.owner_.withdraw(self)) return;
    self.outcome_ = failure(fault::cancelled);
    self.here_.ready().push(self);
}

}  // namespace sluice::model
