// Implements lab::interruption: a signal handler that records the signal and writes an eventfd.
#include "sluice/lab/interruption.hpp"

#include <sys/eventfd.h>

#include <atomic>
#include <cstdint>
#include <span>

#include "sluice/base/check.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/os/signal_action.hpp"

namespace sluice::lab {
namespace {

constexpr std::array signals{SIGINT, SIGTERM, SIGHUP};
std::atomic<int> first_signal = 0;
std::atomic<int> wakeup_fd = -1;

void on_signal(int number) {
    os::kernel& sys = os::sys();
    int none = 0;
    if (!first_signal.compare_exchange_strong(none, number)) {
        // The second signal ends the process as if there were no handler.
        os::set_signal_action(number, SIG_DFL);
        sys.kill(sys.getpid(), number);
        return;
    }
    const std::uint64_t one = 1;
    static_cast<void>(sys.write(wakeup_fd.load(), std::as_bytes(std::span{&one, 1})));
}

}  // namespace

interruption::interruption() : wakeup_{os::sys().eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
    check(wakeup_fd.load() < 0, "one interruption at a time");
    first_signal = 0;
    wakeup_fd = wakeup_.get();
    struct sigaction action{};
    action.sa_handler = on_signal;
    for (std::size_t i = 0; i < signals.size(); ++i) {
        os::sys().sigaction(signals.at(i), &action, &before_.at(i));
    }
}

interruption::~interruption() {
    for (std::size_t i = 0; i < signals.size(); ++i) {
        os::sys().sigaction(signals.at(i), &before_.at(i), nullptr);
    }
    wakeup_fd = -1;
    first_signal = 0;
}

int interruption::signal() noexcept {
    return first_signal.load();
}

}  // namespace sluice::lab
