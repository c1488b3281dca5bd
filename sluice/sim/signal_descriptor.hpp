// signalfd(2) of the simulated kernel.
#pragma once

#include <sys/signalfd.h>

#include <csignal>
#include <cstring>

#include "sluice/sim/description.hpp"
#include "sluice/sim/process.hpp"

namespace sluice::sim {

/// Reads the pending signals of its process, one a read.
class signal_descriptor final : public description, watcher {
 public:
    signal_descriptor(process& owner, const sigset_t& which, int flags)
        : description{kind::signals, O_RDWR | (flags & O_NONBLOCK)}, owner_{owner}, which_{which} {
        owner_.signalled().add(*this);
    }
    ~signal_descriptor() override { owner_.signalled().remove(*this); }

    void set(const sigset_t& which) noexcept { which_ = which; }
    [[nodiscard]] ssize_t read(mutable_bytes memory) noexcept override {
        signalfd_siginfo info{};
        if (memory.size() < sizeof info) return -EINVAL;
        const int number = owner_.take_signal(which_);
        if (number == 0) return -EAGAIN;
        info.ssi_signo = static_cast<std::uint32_t>(number);
        std::memcpy(memory.data(), &info, sizeof info);
        return sizeof info;
    }
    [[nodiscard]] short poll() noexcept override { return owner_.has_signal(which_) ? POLLIN : 0; }
    [[nodiscard]] bool pollable() const noexcept override { return true; }

 private:
    void on_change(short events) noexcept override { watchers().notify(events); }

    process& owner_;
    sigset_t which_;
};

}  // namespace sluice::sim
