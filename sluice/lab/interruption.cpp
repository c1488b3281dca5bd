// Takes signals, and gives them back.
#include "sluice/lab/interruption.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "sluice/base/check.hpp"

namespace sluice::lab {
namespace {

constexpr std::array signals{SIGINT, SIGTERM, SIGHUP};
std::atomic<int> first = 0;
std::atomic<int> teller = -1;

void hear(int number) {
    int none = 0;
    if (!first.compare_exchange_strong(none, number)) {
        // Whoever asks twice does not want to wait for us.
        ::signal(number, SIG_DFL);
        ::raise(number);
        return;
    }
    const std::uint64_t one = 1;
    if (::write(teller.load(), &one, sizeof one) < 0) return;
}

}  // namespace

interruption::interruption() : told_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
    check(teller.load() < 0, "one interruption at a time");
    first = 0;
    teller = told_.get();
    struct sigaction ours{};
    ours.sa_handler = hear;
    for (std::size_t i = 0; i < signals.size(); ++i) {
        ::sigaction(signals.at(i), &ours, &before_.at(i));
    }
}

interruption::~interruption() {
    for (std::size_t i = 0; i < signals.size(); ++i) {
        ::sigaction(signals.at(i), &before_.at(i), nullptr);
    }
    teller = -1;
    first = 0;
}

int interruption::signal() noexcept {
    return first.load();
}

}  // namespace sluice::lab
