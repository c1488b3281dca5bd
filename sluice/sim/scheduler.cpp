// Implements the scheduler: the choice of the next fiber, events, and stacks that are used again.
#include "sluice/sim/scheduler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "sluice/base/sanitizer.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/sim/fail.hpp"
#include "sluice/sim/process.hpp"

namespace sluice::sim {
namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t stack_size = (address_sanitizer ? std::size_t{1024} : std::size_t{256}) << 10;

// A world makes a dozen, and a thousand worlds follow each other.
thread_local std::vector<mapping> free_stacks;

/// Its lowest page cannot be touched.
mapping take_stack() {
    if (!free_stacks.empty()) {
        mapping taken = std::move(free_stacks.back());
        free_stacks.pop_back();
        return taken;
    }
    auto made = mapping::create(stack_size);
    if (!made) return {};
    void* guard = nullptr;
    const int failed =
        os::sys().mmap(guard, made->data(), page, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    return failed < 0 ? mapping{} : std::move(*made);
}

}  // namespace

void scheduler::clear() noexcept {
    events_.clear();
    happenings_.clear();
    free_happenings_.clear();
    for (const auto& f : fibers_) f->body = nullptr;
}

fiber* scheduler::start(process* owner, std::function<void()> body) {
    mapping stack = take_stack();
    if (stack.data() == nullptr) return nullptr;
    fiber& f = *fibers_.emplace_back(std::make_unique<fiber>());
    f.id = static_cast<int>(fibers_.size());
    f.home = this;
    f.owner = owner;
    f.body = std::move(body);
    f.stack = std::move(stack);
    f.prepare(mutable_bytes{static_cast<std::byte*>(f.stack.data()), f.stack.size()}.subspan(page),
              &enter, &f);
    sigemptyset(&f.blocked_signals);
    ++alive_;
    make_ready(f);
    return &f;
}

void scheduler::enter(void* f) noexcept {
    fiber& self = *static_cast<fiber*>(f);
    self.body();
    self.body = nullptr;
    self.home->finish(self);
}

void scheduler::finish(fiber& f) noexcept {
    f.now = fiber::state::over;
    --alive_;
    for (fiber* each : std::exchange(f.joiners, {})) wake(*each);
    f.end_with(main_);
}

void scheduler::kill(fiber& f) noexcept {
    if (f.now == fiber::state::over) return;
    std::erase(ready_, &f);
    std::erase(polling_, &f);
    for (holding& h : held_) std::erase(h.fibers, &f);
    // Its stack stays as it is: other objects may refer to it.
    f.killed = true;
    f.now = fiber::state::over;
    --alive_;
    for (fiber* each : std::exchange(f.joiners, {})) wake(*each);
    if (&f == current_) f.end_with(main_);
}

void scheduler::make_ready(fiber& f) {
    f.now = fiber::state::ready;
    const auto held = std::ranges::find(held_, f.owner, &holding::who);
    (held == held_.end() ? ready_ : held->fibers).push_back(&f);
}

void scheduler::hold(process& owner, virtual_time until) {
    const auto found = std::ranges::find(held_, &owner, &holding::who);
    if (found != held_.end()) {
        found->for_good = found->for_good || until == never;
        return;
    }
    holding h{.who = &owner, .fibers = {}, .for_good = until == never};
    std::erase_if(ready_, [&](fiber* f) {
        if (f->owner == &owner) h.fibers.push_back(f);
        return f->owner == &owner;
    });
    held_.push_back(std::move(h));
    if (until == never) return;
    at(until, [this, who = &owner] {
        const auto over = std::ranges::find(held_, who, &holding::who);
        if (over == held_.end() || over->for_good) return;
        ready_.insert(ready_.end(), over->fibers.begin(), over->fibers.end());
        held_.erase(over);
    });
}

void scheduler::release_held(const std::function<bool(const process&)>& stays) {
    std::erase_if(held_, [&](holding& each) {
        each.for_good = each.for_good || stays(*each.who);
        if (each.for_good) return false;
        ready_.insert(ready_.end(), each.fibers.begin(), each.fibers.end());
        return true;
    });
}

void scheduler::run() {
    while (alive_ > 0 && !stopped_) {
        const bool happened = let_events_happen();
        if (happened) stop_polling();
        if (ready_.empty()) {
            if (events_.empty()) fail("deadlock: all fibers wait, and no event is due");
            now_ = std::max(now_, events_.front().when);
            continue;
        }
        run_one();
        if (now_ > limits_.time) fail("livelock: the world takes too much virtual time");
        if (switches_ > limits_.switches) fail("livelock: the world makes too many turns");
    }
}

void scheduler::run_one() {
    ++switches_;
    const std::size_t chosen = random_.below(ready_.size());
    fiber* f = std::exchange(ready_[chosen], ready_.back());
    ready_.pop_back();
    current_ = f;
    main_.switch_to(*f);
    current_ = nullptr;
    if (polling_.empty() || polling_.back() != f) stop_polling();
    if (f->now == fiber::state::over && !f->killed) free_stacks.push_back(std::move(f->stack));
}

void scheduler::stop_polling() {
    for (fiber* f : std::exchange(polling_, {})) make_ready(*f);
}

void scheduler::suspend() noexcept {
    current_->switch_to(main_);
}

void scheduler::yield() noexcept {
    drop_stale_events();
    const bool alone = ready_.empty() && polling_.empty() && held_.empty() &&
                       (events_.empty() || events_.front().when > now_);
    if (alone && switches_ < limits_.switches && now_ < limits_.time && !stopped_) {
        ++switches_;
        return;
    }
    make_ready(*current_);
    suspend();
}

bool scheduler::wait(virtual_time until, const char* call, std::int64_t argument) noexcept {
    fiber& f = *current_;
    f.woken = false;
    f.now = fiber::state::waiting;
    f.waits_in = call;
    f.waits_for = argument;
    f.waits_until = until;
    ++f.wait_number;
    if (until != never) add({.when = until, .sleeper = &f, .which = f.wait_number});
    suspend();
    return f.woken;
}

void scheduler::wait_for_others(const char* call) noexcept {
    fiber& f = *current_;
    f.now = fiber::state::waiting;
    f.woken = true;  // not by wake()
    f.waits_in = call;
    f.waits_for = 0;
    f.waits_until = never;
    ++f.wait_number;
    polling_.push_back(&f);
    suspend();
}

void scheduler::wait_for_end(fiber& f) noexcept {
    if (f.now == fiber::state::over) return;
    f.joiners.push_back(current_);
    static_cast<void>(wait(never, "join_thread", f.id));
}

void scheduler::wake(fiber& f) noexcept {
    if (f.now != fiber::state::waiting || f.woken) return;
    f.woken = true;
    make_ready(f);
}

void scheduler::at(virtual_time when, std::function<void()> happens) {
    std::size_t place = happenings_.size();
    if (free_happenings_.empty()) {
        happenings_.push_back(std::move(happens));
    } else {
        place = free_happenings_.back();
        free_happenings_.pop_back();
        happenings_[place] = std::move(happens);
    }
    add({.when = when, .which = place});
}

void scheduler::add(event e) {
    e.order = random_.bits();
    events_.push_back(e);
    std::ranges::push_heap(events_, &later);
}

scheduler::event scheduler::take_event() {
    std::ranges::pop_heap(events_, &later);
    const event e = events_.back();
    events_.pop_back();
    return e;
}

void scheduler::drop_stale_events() {
    const auto stale = [](const event& e) {
        return e.sleeper != nullptr &&
               (e.sleeper->now != fiber::state::waiting || e.sleeper->wait_number != e.which);
    };
    while (!events_.empty() && stale(events_.front())) static_cast<void>(take_event());
}

bool scheduler::let_events_happen() {
    bool any = false;
    for (;;) {
        drop_stale_events();
        if (events_.empty() || events_.front().when > now_) return any;
        const event e = take_event();
        any = true;
        if (e.sleeper != nullptr) {
            make_ready(*e.sleeper);
        } else {
            free_happenings_.push_back(e.which);
            std::exchange(happenings_[e.which], nullptr)();
        }
    }
}

std::string scheduler::who_waits() const {
    std::string out;
    for (const auto& f : fibers_) {
        if (f->now == fiber::state::over) continue;
        const auto to = std::back_inserter(out);
        fmt::format_to(to, "{}/{} ({}) ", f->owner->id(), f->id, f->owner->name());
        if (f.get() == current_) {
            fmt::format_to(to, "runs\n");
        } else if (f->now == fiber::state::ready) {
            fmt::format_to(to, "may run\n");
        } else if (f->waits_until == never) {
            fmt::format_to(to, "waits in {}({}) without a deadline\n", f->waits_in, f->waits_for);
        } else {
            fmt::format_to(to, "waits in {}({}) until {} ns\n", f->waits_in, f->waits_for,
                           f->waits_until);
        }
    }
    return out;
}

}  // namespace sluice::sim
