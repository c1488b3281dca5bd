// A wake-up: an eventfd that any thread or signal handler makes readable, and its owner waits on.
#pragma once

#include <sys/eventfd.h>

#include <cstdint>
#include <span>

#include "sluice/base/result.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::os {

/// Source: eventfd(2).
class wakeup {
 public:
    /// Without a descriptor; only for assignment.
    wakeup() = default;
    [[nodiscard]] static result<wakeup> create() noexcept {
        wakeup made;
        made.fd_.reset(sys().eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        if (!made.fd_) return failure_of(-made.fd_.get());
        return made;
    }

    /// Readable from the first signal() until clear().
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(fd_); }

    /// Never blocks. Any thread, and signal handlers.
    void signal() const noexcept {
        const std::uint64_t one = 1;
        // It fails only when the counter is full, and then a wake-up is pending.
        static_cast<void>(sys().write(fd_.get(), std::as_bytes(std::span{&one, 1})));
    }
    /// Takes back all signals so far. Never blocks.
    void clear() const noexcept {
        std::uint64_t count = 0;
        static_cast<void>(sys().read(fd_.get(), std::as_writable_bytes(std::span{&count, 1})));
    }

 private:
    unique_fd fd_;
};

}  // namespace sluice::os
