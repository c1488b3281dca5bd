// Implements stop_signals by two signal handlers.
#include "sluice/cli/stop_signals.hpp"

#include <csignal>
#include <utility>

namespace sluice::cli {

stop_signals::stop_signals(io::engine& engine, std::function<void()> stop)
    : stop_{std::move(stop)},
      interrupt_{engine, SIGINT, [this](unsigned times) { on(SIGINT, times); }},
      terminate_{engine, SIGTERM, [this](unsigned times) { on(SIGTERM, times); }} {}

int stop_signals::first() const noexcept {
    if (first_ != 0) return first_;
    if (interrupt_.pending()) return SIGINT;
    return terminate_.pending() ? SIGTERM : 0;
}

void stop_signals::on(int number, unsigned times) {
    if (first_ == 0) first_ = number;
    for (; times > 0; --times) stop_();
}

bool stop_was_asked() noexcept {
    return io::signal_handler::seen(SIGINT) + io::signal_handler::seen(SIGTERM) > 0;
}

}  // namespace sluice::cli
