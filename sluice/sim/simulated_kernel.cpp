// Implements what all calls of the simulated kernel share: their beginning, waits, processes.
#include "sluice/sim/simulated_kernel.hpp"

#include <algorithm>

#include "sluice/sim/epoll_set.hpp"
#include "sluice/sim/fail.hpp"

namespace sluice::sim {
namespace {

constexpr virtual_time longest_call = 4 * a_microsecond;
constexpr virtual_time longest_process_stall = 10 * a_second;
constexpr virtual_time longest_pause_in_poll = 2 * a_millisecond;
// At each call another fiber goes on with a probability between these, drawn per world.
constexpr double rarest_preemption = 1.0 / 64;
constexpr double commonest_preemption = 1.0 / 2;
// 2026-01-01.
constexpr std::int64_t first_day = 1'767'225'600 * std::int64_t{a_second};

class waker final : public watcher {
 public:
    waker(scheduler& s, fiber& f) noexcept : scheduler_{s}, fiber_{f} {}
    void on_change(short /*events*/) noexcept override { scheduler_.wake(fiber_); }

 private:
    scheduler& scheduler_;
    fiber& fiber_;
};

}  // namespace

simulated_kernel::simulated_kernel(std::uint64_t seed, const fault_rates& faults, bool keep_trace)
    : seed_{seed},
      random_{seed},
      trace_{keep_trace},
      scheduler_{random_},
      faults_{faults},
      network_{*this},
      preemption_{random_.log_uniform(rarest_preemption, commonest_preemption)},
      wall_offset_{first_day} {}

void simulated_kernel::shut() noexcept {
    processes_.clear();
    scheduler_.clear();
}

bool simulated_kernel::enter() noexcept {
    fiber* f = scheduler_.current();
    if (f == nullptr) return false;
    if (before_call_) before_call_();
    scheduler_.pass(random_.between(1, longest_call));
    if (random_.chance(faults_.process_stall)) {
        f->owner->last_shortage_ = scheduler_.now();
        scheduler_.hold(*f->owner, scheduler_.now() + random_.between(1, longest_process_stall));
        scheduler_.yield();
    } else if (random_.chance(preemption_)) {
        scheduler_.yield();
    }
    static_cast<void>(f->owner->take_signals(*f));
    return true;
}

void simulated_kernel::take_time(virtual_time time, const char* name) noexcept {
    static_cast<void>(scheduler_.wait(scheduler_.now() + time, name, 0));
}

virtual_time simulated_kernel::deadline_of(const timespec* timeout) const noexcept {
    if (timeout == nullptr) return never;
    constexpr std::int64_t a_year = 366 * 24 * 3600;
    if (timeout->tv_sec >= a_year) return never;
    return scheduler_.now() + timeout->tv_sec * a_second + timeout->tv_nsec;
}

int simulated_kernel::wait_for(description& d, short events, virtual_time until, const char* name,
                               std::int64_t fd) noexcept {
    const auto asked = static_cast<short>(events | POLLERR | POLLHUP);
    if ((d.poll() & asked) != 0) {
        // Another fiber may have taken what there was.
        scheduler_.pass(a_microsecond);
        scheduler_.yield();
        return 0;
    }
    if (random_.chance(faults_.interrupted)) return -EINTR;
    fiber& f = *scheduler_.current();
    const bool woken = wait_in(d.watchers(), until, name, fd);
    switch (f.owner->take_signals(f)) {
        case process::handled::restart: return -ERESTART;
        case process::handled::interrupt: return -EINTR;
        case process::handled::nothing: break;
    }
    return woken ? 0 : -EAGAIN;
}

bool simulated_kernel::wait_in(wait_queue& q, virtual_time until, const char* name,
                               std::int64_t of) noexcept {
    waker w{scheduler_, *scheduler_.current()};
    q.add(w);
    const bool woken = scheduler_.wait(until, name, of);
    q.remove(w);
    return woken;
}

bool simulated_kernel::is_open(const description& d) const noexcept {
    return std::ranges::any_of(processes_,
                               [&](const auto& each) { return each->table().refers_to(d); });
}

process& simulated_kernel::start_process(std::string name, std::function<void()> run) {
    const int id = static_cast<int>(processes_.size()) + 1;
    process& p = *processes_.emplace_back(std::make_unique<process>(*this, id, std::move(name)));
    fiber* first = scheduler_.start(&p, [&p, run = std::move(run)] {
        run();
        p.exit(process::ending::returned);
    });
    require(first != nullptr, "no memory for the stack of a process");
    p.fibers_.push_back(first);
    return p;
}

bool simulated_kernel::poll_now(pollfd& p) noexcept {
    p.revents = 0;
    if (p.fd < 0) return false;
    const auto d = find(p.fd);
    if (d == nullptr) {
        p.revents = POLLNVAL;
        return true;
    }
    const auto asked = static_cast<short>(p.events | POLLERR | POLLHUP);
    p.revents = static_cast<short>(d->poll() & asked);
    // A socket may be ready, and then not: poll(2), BUGS, and select(2).
    if (p.revents == 0 && d->what() == description::kind::stream &&
        random_.chance(faults_.spurious)) {
        p.revents = static_cast<short>(p.events & (POLLIN | POLLOUT));
    }
    return p.revents != 0;
}

bool simulated_kernel::pause_in_poll(int fd) noexcept {
    const auto d = fd < 0 ? nullptr : find(fd);
    if (d == nullptr || d->what() != description::kind::process) return false;
    if (!random_.chance(preemption_)) return false;
    take_time(random_.between(1, longest_pause_in_poll), "ppoll");
    return true;
}

int simulated_kernel::poll_all(std::span<pollfd> watched, virtual_time until) noexcept {
    fiber& f = *scheduler_.current();
    for (;;) {
        int n = 0;
        bool paused = false;
        for (pollfd& p : watched) {
            paused = pause_in_poll(p.fd) || paused;
            n += poll_now(p) ? 1 : 0;
        }
        if (n > 0 || until <= scheduler_.now()) return n;
        if (paused) continue;
        if (random_.chance(faults_.interrupted)) return -EINTR;
        waker w{scheduler_, f};
        std::vector<std::shared_ptr<description>> all;
        for (const pollfd& p : watched) {
            if (p.fd < 0) continue;
            all.push_back(find(p.fd));
            all.back()->watchers().add(w);
        }
        const std::int64_t last = watched.empty() ? -1 : watched.back().fd;
        static_cast<void>(scheduler_.wait(until, "ppoll", last));
        for (const auto& d : all) d->watchers().remove(w);
        if (f.owner->take_signals(f) != process::handled::nothing) return -EINTR;
    }
}

int simulated_kernel::wait_in_epoll(int fd, std::span<epoll_event> events,
                                    virtual_time until) noexcept {
    const auto d = find(fd);
    if (d == nullptr) return -EBADF;
    if (d->what() != description::kind::epoll_set || events.empty()) return -EINVAL;
    auto& set = static_cast<epoll_set&>(*d);
    for (;;) {
        const int n = set.collect(events);
        if (n > 0 || until <= scheduler_.now()) return n;
        const int failed = wait_for(set, POLLIN, until, "epoll_wait", fd);
        if (failed == -EINTR || failed == -ERESTART) return -EINTR;
    }
}

void simulated_kernel::heal(const std::function<bool(const process&)>& stays) {
    faults_ = {};
    disk_->faults() = {};
    network_.heal(stays);
    scheduler_.release_held(stays);
}

}  // namespace sluice::sim
