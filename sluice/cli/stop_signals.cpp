// A signal handler that posts a letter.
#include "sluice/cli/stop_signals.hpp"

#include <cerrno>
#include <utility>

#include "sluice/base/check.hpp"

namespace sluice::cli {
namespace {

constexpr std::array<int, 2> heard_signals{SIGINT, SIGTERM};
std::atomic<stop_signals*> listening_signals = nullptr;
std::atomic<bool> asked = false;

// What a handler may use (signal-safety(7)): neither locks nor memory.
static_assert(std::atomic<stop_signals*>::is_always_lock_free);
static_assert(std::atomic<unsigned>::is_always_lock_free);
static_assert(std::atomic<bool>::is_always_lock_free);

}  // namespace

stop_signals::stop_signals(io::engine& home, std::function<void()> stop)
    : letter{[](letter& l) noexcept { static_cast<stop_signals&>(l).deliver(); }},
      home_{home},
      stop_{std::move(stop)} {
    check(listening_signals.exchange(this) == nullptr, "signals stop one service at a time");
    struct sigaction action{};
    action.sa_handler = &on_signal;
    // A write to a terminal goes on; the engines' own waits return early in any case.
    action.sa_flags = SA_RESTART;
    for (std::size_t i = 0; i < heard_signals.size(); ++i) {
        ::sigaction(heard_signals[i], &action, &before_[i]);
    }
}

stop_signals::~stop_signals() {
    for (std::size_t i = 0; i < heard_signals.size(); ++i) {
        ::sigaction(heard_signals[i], &before_[i], nullptr);
    }
    listening_signals = nullptr;
    stop_ = nullptr;
    if (posted_) home_.run_once(io::time_point::min());
}

void stop_signals::on_signal(int number) noexcept {
    const int interrupted = errno;
    if (auto* self = listening_signals.load()) self->hear(number);
    errno = interrupted;
}

bool stop_was_asked() noexcept {
    return asked;
}

void stop_signals::hear(int number) noexcept {
    asked = true;
    int none = 0;
    first_.compare_exchange_strong(none, number);
    ++unheeded_;
    // Posting is a compare-and-exchange and a write to an eventfd.
    if (!posted_.exchange(true)) home_.post(*this);
}

void stop_signals::deliver() noexcept {
    // Taken back first: a signal from here on posts the letter again.
    posted_ = false;
    for (auto times = unheeded_.exchange(0); times > 0 && stop_; --times) stop_();
}

}  // namespace sluice::cli
