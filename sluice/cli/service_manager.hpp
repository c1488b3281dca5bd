// Tells a service manager, such as systemd, what the server does (sd_notify(3)).
#pragma once

#include <sys/types.h>

#include <string_view>

#include "sluice/io/timer.hpp"
#include "sluice/os/fd.hpp"

namespace sluice::cli {

/// The manager that has started this process, if one has: NOTIFY_SOCKET names its socket. Nothing
/// waits for it; without one nothing happens. One thread.
class service_manager {
 public:
    /// Connects to it, and removes the variables from the environment, for the programs that this
    /// process starts. While the process has one thread, before it gives up any right.
    void connect() noexcept;

    /// It serves; `status` is for people.
    void ready(std::string_view status) noexcept;
    /// It reads its configuration again, until ready().
    void reloading() noexcept;
    /// It is ready() again, with the status of before.
    void reloaded() noexcept;
    /// It stops, which is said once.
    void stopping() noexcept;
    /// Its main loop turns.
    void alive() noexcept;
    /// Another process serves instead of this one from now on, and is alive().
    void main_process(pid_t which) noexcept;

    /// How often the manager wants alive(), twice as often as it must come; zero if it does not.
    [[nodiscard]] io::duration watchdog() const noexcept { return watchdog_; }

 private:
    void send(std::string_view state) noexcept;

    unique_fd socket_;
    io::duration watchdog_{};
    bool is_stopping_ = false;
};

/// The manager of this process.
[[nodiscard]] service_manager& manager() noexcept;

}  // namespace sluice::cli
