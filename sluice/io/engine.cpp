// Implements the part that all engines share: fd slots, completions, a turn of the loop.
#include "sluice/io/engine.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <cstdio>
#include <source_location>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/base/relaxed.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::io {
namespace {

using namespace std::chrono_literals;

// How long after a burst the memory of its buffers is given back.
constexpr auto trim_interval = 2s;

// Engines that share a table use one slot in turn for descriptors of the same number. close(2) and
// accept(2) order these uses; this counter says so in the terms of the memory model.
std::atomic<std::uint32_t> slot_releases;

// Processes a completion of an operation of which only the op is left.
completion_action discard(op& o, const completion& c) noexcept {
    if (c.buffer >= 0) o.owner().buffers_of(o.kind()).give_back(c.buffer);
    if (o.kind().gives_descriptor && c.result >= 0) const unique_fd unwanted{c.result};
    return completion_action::done;
}

}  // namespace

std::string_view to_text(engine_kind k) noexcept {
    switch (k) {
        case engine_kind::blocking: return "blocking";
        case engine_kind::epoll: return "epoll";
        case engine_kind::uring: return "uring";
    }
    return "unknown";
}

engine::engine(const engine_options& o)
    : options_{o},
      own_buffers_{std::make_unique<buffer_pool>(o.buffers, queued_)},
      buffers_{own_buffers_.get()},
      own_slots_{std::in_place},
      slots_{own_slots_->data()},
      slot_count_{own_slots_->size()} {}

engine::engine(const engine_options& o, slot_table& shared)
    : options_{o}, slots_{shared.data()}, slot_count_{shared.size()} {}

engine::~engine() {
    timers_.disarm(trim_timer_);
    if (in_flight_ > 0) [[unlikely]]
        refuse_to_die();
    check(inbox_.empty(), "an engine is destroyed with messages in its mailbox");
}

void engine::refuse_to_die() const noexcept {
    const op* one = nullptr;
    // A shared table has operations of other engines, too.
    for (int fd = 0; own_slots_ && one == nullptr && fd < descriptors_seen_; ++fd) {
        const fd_slot& s = slots()[fd];
        one = s.in != nullptr ? s.in : s.out;
    }
    constexpr auto begin = "an engine is destroyed with operations in flight";
    std::array<char, 160> text{};
    if (one == nullptr) {
        std::snprintf(text.data(), text.size(), "%s: %zu", begin, in_flight_);
    } else {
        std::snprintf(text.data(), text.size(), "%s: %zu, one of which waits to %s descriptor %d",
                      begin, in_flight_,
                      one->kind().want == interest::in ? "read from" : "write to", one->fd());
    }
    broken_contract(text.data(), std::source_location::current());
}

void engine::wait_for_senders() const noexcept {
    while (senders_.load(std::memory_order_acquire) > 0) os::sys().yield();
}

int engine::socket_flags() const noexcept {
    // io_uring waits in the kernel; O_NONBLOCK would make it report EAGAIN instead.
    return which() == engine_kind::uring ? 0 : SOCK_NONBLOCK;
}

result<void> engine::attach(int fd, bool keep_flags) noexcept {
    if (!known(fd)) return failure_of(EMFILE);
    if (!own_slots_) static_cast<void>(slot_releases.load(std::memory_order_acquire));
    fd_slot& s = slot(fd);
    check(!s.attached, "a descriptor is attached twice");
    if (!keep_flags && which() != engine_kind::uring) {
        const int flags = os::sys().fcntl(fd, F_GETFL);
        if (flags < 0) return failure_of(-flags);
        if ((flags & O_NONBLOCK) == 0) {
            const int failed = os::sys().fcntl(fd, F_SETFL, flags | O_NONBLOCK);
            if (failed < 0) return failure_of(-failed);
        }
    }
    descriptors_seen_ = std::max(descriptors_seen_, fd + 1);
    s.attached = true;
    s.readable = s.writable = true;
    return {};
}

void engine::detach(int fd) noexcept {
    check(known(fd) && slot(fd).attached, "a descriptor is detached that was not attached");
    fd_slot& s = slot(fd);
    if (s.in != nullptr || s.out != nullptr) [[unlikely]]
        end_all(s);
    on_detach(fd, s);
    const auto next_generation = static_cast<std::uint16_t>(s.generation + 1);
    s = fd_slot{};
    s.generation = next_generation;
    if (!own_slots_) slot_releases.fetch_add(1, std::memory_order_release);
}

void engine::cancel_all(int fd) noexcept {
    fd_slot& s = slot(fd);
    if (s.in != nullptr) cancel(*s.in);
    if (s.out != nullptr) cancel(*s.out);
}

void engine::end_all(const fd_slot& s) noexcept {
    check(!s.idle_awaited, "a descriptor is detached while a coroutine waits for it to be idle");
    if (s.in != nullptr) end_now(*s.in);
    if (s.out != nullptr) end_now(*s.out);
}

void engine::end_now(op& o) noexcept {
    check(!blocks(),
          "an operation is destroyed, or its descriptor detached, by a timer or a "
          "message inside its wait on the blocking engine");
    if (o.state_ == op::state::queued) {
        o.resumable::unlink();
        static_cast<void>(completed(o, {.result = -ECANCELED}));
        settle(o);
        return;
    }
    cancel(o);
    while (o.in_flight()) {
        // There was no entry in io_uring's queue for the cancel.
        if (std::exchange(o.cancel_unsent_, false)) withdraw(o);
        wait(o.cancel_unsent_ ? time_point::min() : never);
    }
}

void engine::abandon(op& o) noexcept {
    const std::coroutine_handle<> waiter = o.take_waiter();
    o.resumable::unlink();
    if (o.in_flight()) {
        const op_kind* const kind = o.kind_;
        // The object that its kind would tell of completions is destroyed already.
        op_kind rest = *kind;
        rest.complete = &discard;
        o.kind_ = &rest;
        end_now(o);
        o.kind_ = kind;
    }
    if (waiter && o.kind().resume_without != nullptr) o.kind().resume_without(o, waiter);
}

bool engine::idle(int fd) const noexcept {
    const fd_slot& s = slots()[fd];
    return s.in == nullptr && s.out == nullptr;
}

void engine::when_idle(idle_waiter& w) noexcept {
    if (idle(w.fd)) {
        ready_.push(w);
        return;
    }
    slot(w.fd).idle_awaited = true;
    idle_waiters_.push_back(w);
}

bool engine::try_at_once(op& o) noexcept {
    if (inline_left_ == 0) return false;
    check(known(o.fd()) && slot(o.fd()).attached, "an operation on a descriptor not attached");
    const fd_slot& s = slot(o.fd());
    const bool in = o.kind().want == interest::in;
    check((in ? s.in : s.out) == nullptr, "two operations wait for one direction of a descriptor");
    // The io_uring engine does not track readiness: the attempt finds out.
    if (!(in ? s.readable : s.writable) && which() != engine_kind::uring) return false;
    o.cancelled_ = false;
    if (attempt(o) != outcome::over) return false;
    --inline_left_;
    ++counters_.operations;
    ++counters_.at_once;
    return true;
}

bool engine::submit(op& o) noexcept {
    check(!o.in_flight(), "an operation is submitted twice");
    if (o.kind().want != interest::none) {
        check(known(o.fd()) && slot(o.fd()).attached, "an operation on a descriptor not attached");
        fd_slot& s = slot(o.fd());
        op*& slot_op = o.kind().want == interest::in ? s.in : s.out;
        check(slot_op == nullptr, "two operations wait for one direction of a descriptor");
        slot_op = &o;
    }
    ++in_flight_;
    ++counters_.operations;
    o.cancelled_ = o.pausing_ = o.cancel_unsent_ = false;
    o.pending_completions_ = 0;
    o.state_ = op::state::queued;
    if (!start(o)) return false;
    ++counters_.at_once;
    if (inline_left_ > 0 || blocks()) {
        release_slot(o);
        inline_left_ -= std::min<std::uint32_t>(inline_left_, o.kind().cost);
        return true;
    }
    // The inline budget is spent: the waiter goes behind the other ready coroutines.
    settle(o);
    return false;
}

void engine::pause(op& o) noexcept {
    if (!o.in_flight() || o.cancelled_) return;
    cancel(o);
    o.pausing_ = o.in_flight();
}

void engine::give_up_wait(op& o) noexcept {
    if (o.state_ != op::state::kernel) {
        if (o.has_waiter()) cancel(o);
    } else if (o.awaited()) {
        ready_.push(o);
    }
}

void engine::cancel(op& o) noexcept {
    o.pausing_ = false;
    if (!o.in_flight() || o.cancelled_) return;
    ++counters_.cancels;
    o.cancelled_ = true;
    switch (o.state_) {
        case op::state::parked:
        case op::state::kernel: withdraw(o); break;
        // Its descriptor is ready: the attempt that is due decides.
        case op::state::queued: break;
        case op::state::unsent:
        case op::state::no_buffer:
            o.resumable::unlink();
            static_cast<void>(completed(o, {.result = -ECANCELED}));
            settle(o);
            break;
        case op::state::idle: break;
    }
}

engine::outcome engine::attempt(op& o) noexcept {
    for (;;) {
        o.drained_ = false;
        o.buffer_ = -1;
        const int r = o.kind().attempt(o);
        if (r == -EINTR) continue;
        const interest want = o.kind().want;
        if (want == interest::none) {
            if (completed(o, {.result = r})) return outcome::over;
            continue;
        }
        fd_slot& s = slot(o.fd());
        bool& ready_flag = want == interest::in ? s.readable : s.writable;
        const bool no_buffer = r == -ENOBUFS && o.kind().takes_buffer;
        if (r == -EAGAIN) ready_flag = false;
        if (r == -EAGAIN || no_buffer) {
            if (!o.cancelled_) return no_buffer ? outcome::no_buffer : outcome::not_ready;
            static_cast<void>(completed(o, {.result = -ECANCELED}));
            return outcome::over;
        }
        if (o.drained_ && !s.short_is_ambiguous) ready_flag = false;
        if (completed(o, {.result = r, .buffer = o.buffer_})) return outcome::over;
    }
}

bool engine::completed(op& o, const completion& c) noexcept {
    if (o.kind().complete == nullptr) {
        o.result_ = c.result;
        return true;
    }
    const completion_action v = o.kind().complete(o, c);
    if (c.more && o.awaited()) ready_.push(o);
    if (v == completion_action::done) return true;
    if (!o.cancelled_) return false;
    static_cast<void>(o.kind().complete(o, {.result = -ECANCELED}));
    return true;
}

void engine::settle(op& o) noexcept {
    // Before the idle waiters of the descriptor: they may destroy objects that the waiter uses.
    if (o.awaited()) ready_.push(o);
    release_slot(o);
}

void engine::release_slot(op& o) noexcept {
    o.state_ = op::state::idle;
    if (!o.kind().multishot) o.cancel_hook::unlink();
    --in_flight_;
    if (o.kind().want == interest::none) return;
    fd_slot& s = slot(o.fd());
    (o.kind().want == interest::in ? s.in : s.out) = nullptr;
    if (s.idle_awaited && s.in == nullptr && s.out == nullptr) notify_idle(o.fd());
}

void engine::notify_idle(int fd) noexcept {
    slot(fd).idle_awaited = false;
    idle_waiters_.for_each([this, fd](coro::resumable& r) {
        auto& waiter = static_cast<idle_waiter&>(r);
        if (waiter.fd != fd) return;
        waiter.unlink();
        ready_.push(waiter);
    });
}

void engine::wait_for_buffer(op& o) noexcept {
    ++counters_.buffer_waits;
    o.state_ = op::state::no_buffer;
    buffers_of(o.kind()).wait(o);
}

void engine::queue(op& o) noexcept {
    o.state_ = op::state::queued;
    queued_.push_back(o);
}

void engine::run_due() noexcept {
    timers_.run(now_);
    inbox_.deliver();
}

std::unique_ptr<buffer_pool> engine::set_buffers(std::unique_ptr<buffer_pool> pool) noexcept {
    own_buffers_.swap(pool);
    buffers_ = own_buffers_.get();
    return pool;
}

void engine::trim_buffers() noexcept {
    if (std::exchange(trim_timer_.is_due, false)) {
        trim_timer_.is_armed = false;
        // The kernel may have filled a buffer already: the next time will do.
        if (has_all_completions()) buffers_->shrink();
        if (attempt_buffers_) attempt_buffers_->shrink();
    }
    const bool has_grown =
        buffers_->has_grown() || (attempt_buffers_ && attempt_buffers_->has_grown());
    if (trim_timer_.is_armed || !has_grown) return;
    trim_timer_.is_armed = true;
    timers_.arm(trim_timer_, after(now_, trim_interval));
}

void engine::run_once(time_point until) noexcept {
    ++counters_.turns;
    buffers_->wake_one();
    if (attempt_buffers_) attempt_buffers_->wake_one();
    trim_buffers();
    wait(is_busy() ? time_point::min() : std::min(until, timers_.next()));
    if (options_.published != nullptr) {
        options_.published->busy_since.store(now_.time_since_epoch().count(), relaxed);
    }
    run_due();
    run_queued();
    std::uint32_t left = options_.turn_budget;
    for (; left > 0 && !ready_.empty(); --left) {
        inline_left_ = options_.inline_budget;
        ready_.run(1);
    }
    run_turn_ends();
    if (options_.published != nullptr) publish(options_.turn_budget - left);
}

void engine::publish(std::uint32_t resumed) noexcept {
    loop_counters& to = *options_.published;
    to.turns.set(counters_.turns);
    to.operations.set(counters_.operations);
    to.at_once.set(counters_.at_once);
    to.cancels.set(counters_.cancels);
    to.buffer_waits.set(counters_.buffer_waits);
    to.submission_overflows.set(counters_.overflows);
    to.completion_overflows.set(counters_.completion_overflows);
    to.resumed += resumed;
    to.resumed_last.set(resumed);
    if (!ready_.empty()) ++to.cut_short;
    to.buffers.set(buffers_->leased());
    to.in_flight.set(in_flight_);
    to.busy.add(static_cast<std::uint64_t>((clock::now() - now_).count()));
    to.busy_since.store(0, relaxed);
}

void engine::run_turn_ends() noexcept {
    // Only the hooks queued so far; one that is queued again runs in the next turn.
    intrusive_list<turn_end, turn_end_tag> now;
    now.take_all(turn_ends_);
    while (!now.empty()) {
        turn_end& t = now.pop_front();
        t.run_(t);
    }
}

void engine::block_until(const bool& done) noexcept {
    while (!done) {
        wait(timers_.next());
        run_due();
    }
}

void engine::run_queued() noexcept {
    // Only the operations queued so far; those queued meanwhile run after the next wait.
    coro::resumable_list now;
    now.take_all(queued_);
    while (!now.empty()) {
        op& o = static_cast<op&>(now.pop_front());
        inline_left_ = options_.inline_budget;
        if (!start_queued(o)) continue;
        release_slot(o);
        if (o.has_waiter()) o.take_waiter().resume();
    }
}

}  // namespace sluice::io
