// Implements signal_handler: a sigaction(2) handler that posts a message.
#include "sluice/io/signal_handler.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::io {
namespace {

constexpr int numbers = 65;  // signal(7): the last is SIGRTMAX
std::array<std::atomic<signal_handler*>, numbers> handlers;
std::array<std::atomic<unsigned>, numbers> seen_so_far;

// A handler may use neither locks nor memory (signal-safety(7)).
static_assert(std::atomic<signal_handler*>::is_always_lock_free);
static_assert(std::atomic<unsigned>::is_always_lock_free);
static_assert(std::atomic<bool>::is_always_lock_free);

}  // namespace

signal_handler::signal_handler(engine& owner, int number, std::function<void(unsigned)> act)
    : message{[](message& m) noexcept { static_cast<signal_handler&>(m).deliver(); }},
      engine_{owner},
      number_{number},
      act_{std::move(act)} {
    // In a forked child, the entry may still be that of an object of the parent.
    handlers.at(static_cast<std::size_t>(number)) = this;
    struct sigaction action{};
    action.sa_handler = &on_signal;
    // A write to a terminal goes on; the engines' own waits return early in any case.
    action.sa_flags = SA_RESTART;
    check(os::sys().sigaction(number, &action, &before_) == 0, "a signal that cannot be handled");
}

signal_handler::~signal_handler() {
    os::sys().sigaction(number_, &before_, nullptr);
    handlers.at(static_cast<std::size_t>(number_)) = nullptr;
    act_ = nullptr;
    while (posted_) engine_.run_once(io::time_point::min());
}

unsigned signal_handler::seen(int number) noexcept {
    return seen_so_far.at(static_cast<std::size_t>(number));
}

void signal_handler::on_signal(int number) noexcept {
    const int interrupted = errno;
    const auto index = static_cast<std::size_t>(number);
    ++seen_so_far[index];
    if (signal_handler* self = handlers[index].load()) {
        ++self->pending_;
        // Posting is a compare-and-exchange and a write to an eventfd.
        if (!self->posted_.exchange(true)) self->engine_.post(*self);
    }
    errno = interrupted;
}

void signal_handler::deliver() noexcept {
    // Cleared first: a signal from here on posts the message again.
    posted_ = false;
    const unsigned times = pending_.exchange(0);
    if (act_ && times > 0) act_(times);
}

}  // namespace sluice::io
