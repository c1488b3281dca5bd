// timerfd_create(2) of the simulated kernel.
#pragma once

#include <sys/timerfd.h>

#include <cstdint>
#include <cstring>
#include <memory>

#include "sluice/sim/description.hpp"
#include "sluice/sim/scheduler.hpp"

namespace sluice::sim {

/// Counts expirations, which are read in 8 bytes.
class timer_descriptor final : public description,
                               public std::enable_shared_from_this<timer_descriptor> {
 public:
    timer_descriptor(scheduler& s, int flags) noexcept
        : description{kind::timer, O_RDWR | (flags & O_NONBLOCK)}, scheduler_{s} {}

    /// Expires at `first`, 0 for never, and then each `interval`, 0 for never.
    void set(virtual_time first, virtual_time interval) {
        ++setting_;
        expired_ = 0;
        interval_ = interval;
        if (first != 0) arm(first);
    }
    [[nodiscard]] ssize_t read(mutable_bytes memory) noexcept override {
        if (memory.size() < sizeof expired_) return -EINVAL;
        if (expired_ == 0) return -EAGAIN;
        std::memcpy(memory.data(), &expired_, sizeof expired_);
        expired_ = 0;
        return sizeof expired_;
    }
    [[nodiscard]] short poll() noexcept override { return expired_ > 0 ? POLLIN : 0; }
    [[nodiscard]] bool pollable() const noexcept override { return true; }

 private:
    void arm(virtual_time when) {
        scheduler_.at(when, [weak = weak_from_this(), setting = setting_, when] {
            const auto self = weak.lock();
            if (self == nullptr || self->setting_ != setting) return;
            ++self->expired_;
            self->watchers().notify(POLLIN);
            if (self->interval_ > 0) self->arm(when + self->interval_);
        });
    }

    scheduler& scheduler_;
    std::uint64_t expired_ = 0;
    std::uint64_t setting_ = 0;  // so that an event of an earlier one is not taken for this
    virtual_time interval_ = 0;
};

}  // namespace sluice::sim
