// eventfd(2) of the simulated kernel.
#pragma once

#include <sys/eventfd.h>

#include <cstdint>
#include <cstring>

#include "sluice/sim/description.hpp"

namespace sluice::sim {

/// A counter that is read and written in 8 bytes.
class event_counter final : public description {
 public:
    event_counter(unsigned initial, int flags) noexcept
        : description{kind::event, O_RDWR | (flags & O_NONBLOCK)},
          value_{initial},
          semaphore_{(flags & EFD_SEMAPHORE) != 0} {}

    [[nodiscard]] ssize_t read(mutable_bytes memory) noexcept override {
        if (memory.size() < sizeof value_) return -EINVAL;
        if (value_ == 0) return -EAGAIN;
        const std::uint64_t taken = semaphore_ ? 1 : value_;
        value_ -= taken;
        std::memcpy(memory.data(), &taken, sizeof taken);
        watchers().notify(POLLOUT);
        return sizeof taken;
    }
    [[nodiscard]] ssize_t write(const_bytes data) noexcept override {
        std::uint64_t more = 0;
        if (data.size() < sizeof more) return -EINVAL;
        std::memcpy(&more, data.data(), sizeof more);
        if (more == UINT64_MAX) return -EINVAL;
        if (more > largest - value_) return -EAGAIN;
        value_ += more;
        // Each write is a new event, which edge-triggered readers rely on.
        watchers().notify(POLLIN);
        return sizeof more;
    }
    [[nodiscard]] short poll() noexcept override {
        return static_cast<short>((value_ > 0 ? POLLIN : 0) | (value_ < largest ? POLLOUT : 0));
    }
    [[nodiscard]] bool pollable() const noexcept override { return true; }

 private:
    static constexpr std::uint64_t largest = UINT64_MAX - 1;

    std::uint64_t value_;
    bool semaphore_;
};

}  // namespace sluice::sim
