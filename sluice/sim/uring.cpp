// Implements uring: how requests begin, wait and end, and how their completions are posted.
#include "sluice/sim/uring.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include "sluice/sim/fail.hpp"
#include "sluice/sim/simulated_kernel.hpp"

namespace sluice::sim {
namespace {

constexpr virtual_time longest_notification = 10 * a_millisecond;
constexpr virtual_time longest_late_notification = 3 * a_second;

std::int64_t number_of(std::uint64_t request) noexcept {
    return static_cast<std::int64_t>(request);
}

}  // namespace

void uring_request::on_change(short events) noexcept {
    if (now == state::waits && (events & waits_for) != 0) home.make_due(*this);
}

int uring::refusal(bool asks) {
    if (asks) busy_ = false;
    if (busy_) return -EBUSY;
    random& chance = kernel_.chance();
    if (!chance.chance(kernel_.faults().ring_busy)) return 0;
    busy_ = !asks && chance.chance(0.5);
    constexpr std::array refusals{-EINTR, -EAGAIN, -EBUSY};
    return refusals[chance.below(refusals.size())];
}

int uring::submit(unsigned count) {
    buffers_.scribble_new();
    count = std::min(count, memory_->submitted());
    if (count > 1 && kernel_.chance().chance(kernel_.faults().ring_busy)) {
        count = 1 + static_cast<unsigned>(kernel_.chance().below(count));
    }
    for (unsigned i = 0; i < count; ++i) start(memory_->take_entry());
    post_completions(false);
    return static_cast<int>(count);
}

int uring::get_events(bool awaited, virtual_time until) {
    for (;;) {
        run_due();
        post_completions(true);
        if (!awaited || memory_->completed() > 0) return 0;
        const int failed = kernel_.wait_for(*this, POLLIN, until, "io_uring_enter", owner_.id);
        if (failed == -EAGAIN) return -ETIME;
        if (failed < 0) return -EINTR;
    }
}

void uring::start(const io_uring_sqe& entry) {
    const std::uint64_t number = ++last_number_;
    uring_request& r = requests_.try_emplace(number, *this, number, entry).first->second;
    record("submitted", {number_of(number), entry.opcode, entry.fd}, 0);
    if (entry.opcode == IORING_OP_ASYNC_CANCEL) {
        finish(r, {.result = cancel(r)});
        return;
    }
    if (const int failed = prepare(r); failed < 0) {
        finish(r, {.result = failed});
        return;
    }
    if (const auto time = thread_time(r)) {
        hand_to_thread(r, *time);
    } else {
        advance(r);
    }
}

/// In a call of its program: attempts `r` until it is over or waits.
void uring::advance(uring_request& r) {
    for (;;) {
        const auto o = r.ended ? r.ended : attempt(r);
        if (!o && r.interrupted) {
            finish(r, cancelled(r, -ECANCELED));
            return;
        }
        if (!o) {
            wait(r);
            return;
        }
        const bool fruitful = r.entry.opcode == IORING_OP_ACCEPT ? o->result >= 0 : o->result > 0;
        // Linux ends one that finds the queue full, so that its completions cannot pile up.
        if (!r.is_multishot() || !fruitful || is_crowded() ||
            kernel_.chance().chance(kernel_.faults().ring_ended)) {
            finish(r, *o);
            return;
        }
        complete(r, {.result = o->result, .flags = o->flags | IORING_CQE_F_MORE});
        if (r.entry.opcode == IORING_OP_POLL_ADD) {
            wait(r);
            return;
        }
    }
}

void uring::wait(uring_request& r) {
    awaited_change change = wanted(r);
    description& of = *change.of;
    r.wait(std::move(change.of), change.events);
    // A poll tells of changes alone, once it has looked.
    if (r.entry.opcode != IORING_OP_POLL_ADD && (of.poll() & r.waits_for) != 0) make_due(r);
}

void uring::make_due(uring_request& r) {
    r.now = uring_request::state::due;
    due_.push_back(r.number);
    watchers().notify(POLLIN);
}

void uring::run_due() {
    std::vector<std::uint64_t> due = std::exchange(due_, {});
    kernel_.chance().shuffle(due);
    for (const std::uint64_t number : due) {
        if (const auto found = requests_.find(number); found != requests_.end()) {
            if (found->second.now == uring_request::state::due) advance(found->second);
            continue;
        }
        const auto freed = notifications_.find(number);
        if (freed == notifications_.end()) continue;
        freed->second.lent.check("memory was changed before the notification of its send");
        record("notified", {number_of(number)}, 0);
        done_.push_back({.request = number,
                         .user_data = freed->second.user_data,
                         .what = {.flags = IORING_CQE_F_NOTIF}});
        notifications_.erase(freed);
    }
}

void uring::complete(const uring_request& r, outcome o) {
    record("completed", {number_of(r.number), o.flags}, o.result);
    done_.push_back({.request = r.number, .user_data = r.entry.user_data, .what = o});
}

void uring::finish(uring_request& r, outcome o) {
    r.lent.check(r.lent.memory().empty() ? "memory was changed while it was being sent"
                                         : "memory was changed while it was received into");
    const bool sends_in_place = r.entry.opcode == IORING_OP_SEND_ZC && !r.lent.data().empty();
    // After an error some kernels notify and others do not.
    if (sends_in_place && (o.result >= 0 || kernel_.chance().chance(0.5))) {
        o.flags |= IORING_CQE_F_MORE;
        notify_later(r);
    }
    complete(r, o);
    requests_.erase(r.number);
}

void uring::notify_later(const uring_request& r) {
    notifications_.emplace(r.number, notification{.user_data = r.entry.user_data, .lent = r.lent});
    random& chance = kernel_.chance();
    const bool late = chance.chance(kernel_.faults().ring_late);
    kernel_.scheduler().after(
        chance.between(1, late ? longest_late_notification : longest_notification),
        [weak = weak_from_this(), number = r.number] {
            const auto self = weak.lock();
            if (self == nullptr || !self->notifications_.contains(number)) return;
            self->due_.push_back(number);
            self->watchers().notify(POLLIN);
        });
}

void uring::hand_to_thread(uring_request& r, virtual_time in) {
    r.stop_waiting();
    r.now = uring_request::state::thread;
    kernel_.scheduler().after(in, [weak = weak_from_this(), number = r.number] {
        const auto self = weak.lock();
        if (self == nullptr) return;
        const auto found = self->requests_.find(number);
        if (found != self->requests_.end()) self->end_on_thread(found->second);
    });
}

void uring::end_on_thread(uring_request& r) {
    r.ended = r.entry.opcode == IORING_OP_FSYNC ? sync(r) : attempt(r);
    if (!r.ended && r.interrupted) {
        r.ended = cancelled(r, kernel_.chance().chance(0.5) ? -EINTR : -ECANCELED);
    }
    if (r.ended) {
        make_due(r);
    } else {
        wait(r);
    }
}

/// Completions come in any order, but for those of one request.
void uring::shuffle_completions() {
    std::vector<std::uint64_t> order;
    order.reserve(done_.size());
    for (const posting& p : done_) order.push_back(p.request);
    kernel_.chance().shuffle(order);
    std::map<std::uint64_t, std::deque<posting>> of_request;
    for (const posting& p : done_) of_request[p.request].push_back(p);
    for (std::size_t i = 0; i < order.size(); ++i) {
        auto& left = of_request[order[i]];
        done_[i] = left.front();
        left.pop_front();
    }
}

void uring::post_completions(bool flushes) {
    const auto post = [this](const posting& p) {
        io_uring_cqe completion{};
        completion.user_data = p.user_data;
        completion.res = p.what.result;
        completion.flags = p.what.flags;
        memory_->post(completion);
    };
    for (; flushes && !overflow_.empty() && !memory_->is_full(); overflow_.pop_front()) {
        post(overflow_.front());
    }
    if (done_.size() > 1) shuffle_completions();
    for (const posting& p : done_) {
        if (overflow_.empty() && !memory_->is_full()) {
            post(p);
        } else {
            overflow_.push_back(p);
        }
    }
    done_.clear();
    memory_->set_overflow(!overflow_.empty());
}

bool uring::is_crowded() const noexcept {
    return memory_->completed() + done_.size() + overflow_.size() >= memory_->completion_entries();
}

void uring::hang_up() noexcept {
    due_.clear();
    done_.clear();
    notifications_.clear();
    // What they refer to may end with them, and tell the others.
    while (!requests_.empty()) requests_.erase(requests_.begin());
}

void uring::record(const char* what, std::initializer_list<std::int64_t> arguments,
                   int result) const {
    kernel_.trace().add(
        {.time = kernel_.scheduler().now(), .process = owner_.owner->id(), .fiber = owner_.id},
        what, arguments, result);
}

}  // namespace sluice::sim
