// Implements stop_relay: a message that is posted at most once at a time.
#include "sluice/model/stop_relay.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

namespace sluice::model {

stop_relay::stop_relay(std::function<void(stage)> act)
    : message{[](message& m) noexcept { static_cast<stop_relay&>(m).deliver(); }},
      act_{std::move(act)} {}

void stop_relay::request(stage to) noexcept {
    const std::lock_guard lock{mutex_};
    if (to <= requested_) return;
    requested_ = to;
    if (engine_ == nullptr || posted_) return;
    posted_ = true;
    engine_->post(*this);
}

void stop_relay::attach(io::engine& engine) noexcept {
    {
        const std::lock_guard lock{mutex_};
        engine_ = &engine;
    }
    deliver();
}

void stop_relay::detach() noexcept {
    io::engine* engine = engine_;
    while (!try_detach()) engine->run_once(io::time_point::min());
}

bool stop_relay::try_detach() noexcept {
    const std::lock_guard lock{mutex_};
    if (posted_) return false;
    engine_ = nullptr;
    return true;
}

void stop_relay::deliver() noexcept {
    for (;;) {
        stage next{};
        {
            const std::lock_guard lock{mutex_};
            posted_ = false;
            if (acted_ == requested_) return;
            next = static_cast<stage>(static_cast<int>(acted_) + 1);
            acted_ = next;
        }
        act_(next);
    }
}

}  // namespace sluice::model
