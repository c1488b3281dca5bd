// Implements lab::interruption: a signal handler that records the signal and writes an eventfd.
#include "sluice/lab/interruption.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "sluice/base/check.hpp"

namespace sluice::lab {
namespace {

constexpr std::array signals{SIGINT, SIGTERM, SIGHUP};
std::atomic<int> first_signal = 0;
std::atomic<int> wakeup_fd = -1;

void on_signal(int number) {
    int none = 0;
    if (!first_signal.compare_exchange_strong(none, number)) {
        // The second signal ends the process as if there were no handler.
        ::signal(number, SIG_DFL);
        ::raise(number);
        return;
    }
    const std::uint64_t one = 1;
    if (::write(wakeup_fd.load(), &one, sizeof one) < 0) return;
}

}  // namespace

interruption::interruption() : wakeup_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
    check(wakeup_fd.load() < 0, "one interruption at a time");
    first_signal = 0;
    wakeup_fd = wakeup_.get();
    struct sigaction action{};
    action.sa_handler = on_signal;
    for (std::size_t i = 0; i < signals.size(); ++i) {
        ::sigaction(signals.at(i), &action, &before_.at(i));
    }
}

interruption::~interruption() {
    for (std::size_t i = 0; i < signals.size(); ++i) {
        ::sigaction(signals.at(i), &before_.at(i), nullptr);
    }
    wakeup_fd = -1;
    first_signal = 0;
}

int interruption::signal() noexcept {
    return first_signal.load();
}

}  // namespace sluice::lab
