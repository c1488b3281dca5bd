// Implements simulated processes: their end, and their signals.
#include "sluice/sim/process.hpp"

#include <algorithm>

#include "sluice/sim/simulated_kernel.hpp"

namespace sluice::sim {
namespace {

constexpr std::size_t most_descriptors = 1024;
constexpr int first_after_the_standard_ones = 3;
constexpr int last_signal = 64;  // signal(7): SIGRTMAX
// From the end of a child's descriptors to what its parent is told of it.
constexpr virtual_time longest_exit = a_millisecond;

}  // namespace

process::process(simulated_kernel& k, int id, std::string name)
    : kernel_{k}, id_{id}, name_{std::move(name)}, table_{most_descriptors} {
    const auto nothing = std::make_shared<null_device>(O_RDWR);
    for (int fd = 0; fd < first_after_the_standard_ones; ++fd) table_.put(fd, nothing);
    sigemptyset(&pending_);
}

int process::open_descriptors() const noexcept {
    if (over_) return left_open_;
    int n = 0;
    for (int fd = first_after_the_standard_ones; fd < table_.end(); ++fd) {
        if (table_.find(fd) != nullptr) ++n;
    }
    return n;
}

void process::crash() {
    exit(ending::crashed);
}

void process::exit(ending how) {
    if (over_) return;
    left_open_ = open_descriptors();
    over_ = true;
    scheduler& s = kernel_.scheduler();
    kernel_.trace().add({.time = s.now(), .process = id_}, "exit", {left_open_},
                        static_cast<int>(how), name_);
    fiber* running = s.current();
    for (fiber* f : fibers_) {
        if (f != running) s.kill(*f);
    }
    for (int fd = 0; fd < table_.end(); ++fd) {
        const auto d = table_.take(fd);
        if (d == nullptr) continue;
        // A thread that waited in a ring still refers to it.
        bool stays_open = d->what() != description::kind::ring && how != ending::crashed;
        // So does one that was killed while it waited for a pipe.
        if (d->what() == description::kind::pipe && how == ending::killed) {
            stays_open = kernel_.is_open(*d);
        }
        if (!stays_open) d->hang_up();
    }
    if (parent_ != nullptr) {
        s.after(kernel_.chance().between(1, longest_exit), [this] {
            waitable_ = true;
            ended_.notify(POLLIN);
        });
    }
    // If it has returned, its first fiber ends by itself.
    if (how != ending::returned && running != nullptr && running->owner == this) s.kill(*running);
}

void process::end_by(int number) {
    if (!over_) status_ = number;
    exit(ending::killed);
}

bool process::ignores(int number) const noexcept {
    const auto handler = actions_.at(static_cast<std::size_t>(number)).sa_handler;
    if (handler != SIG_DFL) return handler == SIG_IGN;
    return number == SIGCHLD || number == SIGURG || number == SIGWINCH || number == SIGCONT;
}

bool process::ends_by(int number) const noexcept {
    return actions_.at(static_cast<std::size_t>(number)).sa_handler == SIG_DFL && !ignores(number);
}

fiber* process::taker_of(int number) const noexcept {
    const auto takes = [number](const fiber* f) {
        return f->now != fiber::state::over && sigismember(&f->blocked_signals, number) == 0;
    };
    const auto found = std::ranges::find_if(fibers_, takes);
    return found == fibers_.end() ? nullptr : *found;
}

bool process::would_end_by(int number) const noexcept {
    return number == SIGKILL || (taker_of(number) != nullptr && ends_by(number));
}

void process::signal(int number) {
    if (over_) return;
    fiber* const taker = taker_of(number);
    kernel_.trace().add({.time = kernel_.scheduler().now(), .process = id_}, "signal", {number},
                        taker != nullptr ? taker->id : 0);
    if (would_end_by(number)) {
        end_by(number);
        return;
    }
    if (taker != nullptr && ignores(number)) return;
    sigaddset(&pending_, number);
    signalled_.notify(POLLIN);
    if (taker != nullptr) kernel_.scheduler().wake(*taker);
}

int process::take_signal(const sigset_t& which) noexcept {
    for (int number = 1; number <= last_signal; ++number) {
        if (sigismember(&which, number) == 1 && sigismember(&pending_, number) == 1) {
            sigdelset(&pending_, number);
            return number;
        }
    }
    return 0;
}

bool process::has_signal(const sigset_t& which) const noexcept {
    for (int number = 1; number <= last_signal; ++number) {
        if (sigismember(&which, number) == 1 && sigismember(&pending_, number) == 1) return true;
    }
    return false;
}

process::handled process::take_signals(fiber& f) {
    handled so_far = handled::nothing;
    if (sigisemptyset(&pending_) != 0) return so_far;
    for (int number = 1; number <= last_signal; ++number) {
        if (sigismember(&pending_, number) == 0 || sigismember(&f.blocked_signals, number) == 1) {
            continue;
        }
        sigdelset(&pending_, number);
        if (ignores(number)) continue;
        if (ends_by(number)) end_by(number);
        const struct sigaction& action = actions_.at(static_cast<std::size_t>(number));
        if (so_far != handled::interrupt) {
            so_far = (action.sa_flags & SA_RESTART) != 0 ? handled::restart : handled::interrupt;
        }
        action.sa_handler(number);
    }
    return so_far;
}

}  // namespace sluice::sim
