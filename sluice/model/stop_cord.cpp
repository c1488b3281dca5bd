// A letter that is posted at most once at a time.
#include "sluice/model/stop_cord.hpp"

#include <algorithm>
#include <utility>

namespace sluice::model {

stop_cord::stop_cord(std::function<void(stage)> act)
    : letter{[](letter& l) noexcept { static_cast<stop_cord&>(l).deliver(); }},
      act_{std::move(act)} {}

void stop_cord::pull(stage to) noexcept {
    const std::lock_guard lock{mutex_};
    if (to <= pulled_) return;
    pulled_ = to;
    if (there_ == nullptr || posted_) return;
    posted_ = true;
    there_->post(*this);
}

void stop_cord::tie(io::engine& here) noexcept {
    {
        const std::lock_guard lock{mutex_};
        there_ = &here;
    }
    deliver();
}

void stop_cord::untie() noexcept {
    io::engine* here = there_;
    while (!try_untie()) here->run_once(io::time_point::min());
}

bool stop_cord::try_untie() noexcept {
    const std::lock_guard lock{mutex_};
    if (posted_) return false;
    there_ = nullptr;
    return true;
}

void stop_cord::deliver() noexcept {
    for (;;) {
        stage next{};
        {
            const std::lock_guard lock{mutex_};
            posted_ = false;
            if (acted_ == pulled_) return;
            next = static_cast<stage>(static_cast<int>(acted_) + 1);
            acted_ = next;
        }
        act_(next);
    }
}

}  // namespace sluice::model
