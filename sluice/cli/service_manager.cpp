// Implements service_manager over a datagram socket.
#include "sluice/cli/service_manager.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "sluice/base/parse_number.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/net/address.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::cli {
namespace {

/// The value of a variable of the environment, from which it is removed.
std::optional<std::string> take_variable(const char* name) {
    const char* const value = std::getenv(name);
    if (value == nullptr) return std::nullopt;
    std::string taken{value};
    ::unsetenv(name);
    return taken;
}

/// The watchdog's time, if it is for this process (sd_watchdog_enabled(3)).
io::duration take_watchdog() {
    const auto time = take_variable("WATCHDOG_USEC");
    const auto process = take_variable("WATCHDOG_PID");
    if (process && parse_number<pid_t>(*process) != os::sys().getpid()) return {};
    const auto microseconds = time ? parse_number<std::int64_t>(*time) : std::nullopt;
    return std::chrono::microseconds{std::max<std::int64_t>(0, microseconds.value_or(0))} / 2;
}

}  // namespace

void service_manager::connect() noexcept try {
    watchdog_ = take_watchdog();
    const auto name = take_variable("NOTIFY_SOCKET");
    if (!name || name->empty()) return;
    const auto where = net::address::parse("unix:" + *name);
    if (!where) return;
    unique_fd made{os::sys().socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    if (!made || os::sys().connect(made.get(), where->data(), where->size()) < 0) return;
    socket_ = std::move(made);
} catch (const std::bad_alloc&) {
    socket_.reset();
}

void service_manager::ready(std::string_view status) noexcept try {
    if (socket_) send(fmt::format("READY=1\nSTATUS={}", status));
} catch (const std::bad_alloc&) {
    send("READY=1");
}

void service_manager::reloading() noexcept try {
    constexpr std::int64_t ns_per_us = 1000;
    if (!socket_) return;
    send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", os::sys().monotonic_ns() / ns_per_us));
} catch (const std::bad_alloc&) {
    send("RELOADING=1");
}

void service_manager::reloaded() noexcept {
    send("READY=1");
}

void service_manager::stopping() noexcept {
    if (!std::exchange(is_stopping_, true)) send("STOPPING=1");
}

void service_manager::alive() noexcept {
    send("WATCHDOG=1");
}

void service_manager::main_process(pid_t which) noexcept try {
    // It listened to this one alone until now: the other's first word may be half its time away.
    const std::string_view alive = watchdog_ > io::duration{} ? "\nWATCHDOG=1" : "";
    if (socket_) send(fmt::format("MAINPID={}\nREADY=1{}", which, alive));
    // What this process says from now on would be said of the other.
    socket_.reset();
    watchdog_ = {};
} catch (const std::bad_alloc&) {
    socket_.reset();
}

void service_manager::send(std::string_view state) noexcept {
    if (!socket_) return;
    const auto bytes = std::as_bytes(std::span{state});
    ssize_t sent = -EINTR;
    while (sent == -EINTR) {
        sent = os::sys().send(socket_.get(), bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    if (sent < 0) {
        log(log_level::warn, fmt::format("the service manager could not be told {}: {}",
                                         state.substr(0, state.find('\n')),
                                         error::system(static_cast<int>(-sent)).message()));
    }
}

service_manager& manager() noexcept {
    static service_manager one;
    return one;
}

}  // namespace sluice::cli
