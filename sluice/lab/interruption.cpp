// Implements lab::interruption: a signal handler that records the signal and writes an eventfd.
#include "sluice/lab/interruption.hpp"

#include <atomic>

#include "sluice/base/check.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/os/signal_action.hpp"

namespace sluice::lab {
namespace {

constexpr std::array signals{SIGINT, SIGTERM, SIGHUP};
std::atomic<int> first_signal = 0;
std::atomic<const os::wakeup*> waiting = nullptr;

void on_signal(int number) {
    os::kernel& sys = os::sys();
    int none = 0;
    if (!first_signal.compare_exchange_strong(none, number)) {
        // The second signal ends the process as if there were no handler.
        os::set_signal_action(number, SIG_DFL);
        sys.kill(sys.getpid(), number);
        return;
    }
    waiting.load()->signal();
}

}  // namespace

interruption::interruption() {
    check(waiting.load() == nullptr, "one interruption at a time");
    if (auto made = os::wakeup::create()) wakeup_ = std::move(*made);
    first_signal = 0;
    waiting = &wakeup_;
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
    waiting = nullptr;
    first_signal = 0;
}

int interruption::signal() noexcept {
    return first_signal.load();
}

}  // namespace sluice::lab
