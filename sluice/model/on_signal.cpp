// A handler that posts a letter.
#include "sluice/model/on_signal.hpp"

#include <cerrno>
#include <utility>

#include "sluice/base/check.hpp"

namespace sluice::model {
namespace {

constexpr int signals_known = 65;
std::array<std::atomic<on_signal*>, signals_known> heard_by;

// What a handler may use (signal-safety(7)): neither locks nor memory.
static_assert(std::atomic<on_signal*>::is_always_lock_free);

}  // namespace

on_signal::on_signal(io::engine& home, int number, std::function<void()> act)
    : letter{[](letter& l) noexcept { static_cast<on_signal&>(l).deliver(); }},
      home_{home},
      number_{number},
      act_{std::move(act)} {
    // In a child, the place may still be that of an object of the parent.
    heard_by[static_cast<std::size_t>(number)] = this;
    struct sigaction action{};
    action.sa_handler = &hear;
    action.sa_flags = SA_RESTART;
    check(::sigaction(number, &action, &before_) == 0, "a signal that cannot be handled");
}

on_signal::~on_signal() {
    ::sigaction(number_, &before_, nullptr);
    heard_by[static_cast<std::size_t>(number_)] = nullptr;
    act_ = nullptr;
    while (posted_) home_.run_once(io::time_point::min());
}

void on_signal::hear(int number) noexcept {
    const int interrupted = errno;
    on_signal* self = heard_by[static_cast<std::size_t>(number)].load();
    // Posting is a compare-and-exchange and a write to an eventfd.
    if (self != nullptr && !self->posted_.exchange(true)) self->home_.post(*self);
    errno = interrupted;
}

void on_signal::deliver() noexcept {
    // Taken back first: a signal from here on posts the letter again.
    posted_ = false;
    if (act_) act_();
}

}  // namespace sluice::model
