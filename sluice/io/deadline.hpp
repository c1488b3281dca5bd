// Deadlines for awaitables (with_deadline, with_timeout), and sleep.
#pragma once

#include <coroutine>
#include <optional>
#include <utility>

#include "sluice/base/result.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/ready_queue.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/timer.hpp"

namespace sluice::io {

/// Awaiter of `with_deadline` for an operation or a read of a stream: cancels it at the deadline.
template <class Inner>
class [[nodiscard]] deadline_awaiter : timer {
 public:
    deadline_awaiter(engine& e, Inner& inner, time_point when) noexcept
        : timer{&on_fire}, engine_{e}, inner_{inner}, when_{when} {}
    deadline_awaiter(const deadline_awaiter&) = delete;
    deadline_awaiter& operator=(const deadline_awaiter&) = delete;
    ~deadline_awaiter() { engine_.timers().disarm(*this); }

    [[nodiscard]] bool await_ready() noexcept { return inner_.await_ready(); }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
        // The blocking engine waits inside; elsewhere an immediate completion needs no timer.
        if (engine_.blocks()) engine_.timers().arm(*this, when_);
        const bool suspended = inner_.await_suspend(h);
        if (suspended) engine_.timers().arm(*this, when_);
        return suspended;
    }
    [[nodiscard]] auto await_resume() noexcept {
        engine_.timers().disarm(*this);
        auto outcome = inner_.await_resume();
        if (expired_ && !outcome && outcome.error() == fault::cancelled) {
            outcome = failure(fault::timed_out);
        }
        return outcome;
    }

 private:
    static void on_fire(timer& t) noexcept {
        auto& self = static_cast<deadline_awaiter&>(t);
        self.expired_ = true;
        self.inner_.cancel();
    }

    engine& engine_;
    Inner& inner_;
    time_point when_;
    bool expired_ = false;
};

/// Awaiter of `with_deadline` for a task: cancels all its waits at the deadline.
template <class T>
class [[nodiscard]] deadline_task_awaiter : timer {
 public:
    deadline_task_awaiter(engine& e, coro::task<result<T>> inner, time_point when) noexcept
        : timer{&on_fire}, engine_{e}, inner_{std::move(inner)}, when_{when} {}
    deadline_task_awaiter(const deadline_task_awaiter&) = delete;
    deadline_task_awaiter& operator=(const deadline_task_awaiter&) = delete;
    ~deadline_task_awaiter() { engine_.timers().disarm(*this); }

    [[nodiscard]] bool await_ready() noexcept { return inner_.await_ready(); }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
        context_.emplace(h.promise().current_context());
        inner_.set_context(*context_);
        engine_.timers().arm(*this, when_);
        return inner_.await_suspend(h);
    }
    [[nodiscard]] result<T> await_resume() noexcept {
        engine_.timers().disarm(*this);
        result<T> outcome = inner_.await_resume();
        if (expired_ && !outcome && outcome.error() == fault::cancelled) {
            outcome = failure(fault::timed_out);
        }
        return outcome;
    }

 private:
    static void on_fire(timer& t) noexcept {
        auto& self = static_cast<deadline_task_awaiter&>(t);
        self.expired_ = true;
        self.context_->cancel();
    }

    engine& engine_;
    coro::task<result<T>> inner_;
    time_point when_;
    std::optional<coro::context> context_;
    bool expired_ = false;
};

/// `co_await with_deadline(e, peer.recv(), when)`: the same result, or fault::timed_out if `when`
/// passed first. A result that came first stands. `inner` is an awaitable with cancel(), or a task.
template <class Inner>
[[nodiscard]] auto with_deadline(engine& e, Inner&& inner, time_point when) noexcept {
    return deadline_awaiter<std::remove_reference_t<Inner>>{e, inner, when};
}
/// The same for a task, whose waits are all cancelled at the deadline.
template <class T>
[[nodiscard]] auto with_deadline(engine& e, coro::task<result<T>> inner, time_point when) noexcept {
    return deadline_task_awaiter<T>{e, std::move(inner), when};
}
/// The same, counted from now.
template <class Inner>
[[nodiscard]] auto with_timeout(engine& e, Inner&& inner, duration d) noexcept {
    return with_deadline(e, std::forward<Inner>(inner), after(clock::now(), d));
}

/// `co_await sleep_until{e, when}`: nothing, or fault::cancelled.
class [[nodiscard]] sleep_until : timer, coro::cancel_hook, coro::resumable {
 public:
    /// Sleeps once it is awaited. `e` is the engine of the calling thread.
    sleep_until(engine& e, time_point when) noexcept
        : timer{&on_fire}, cancel_hook{&on_cancel}, engine_{e}, when_{when} {}
    sleep_until(const sleep_until&) = delete;
    sleep_until& operator=(const sleep_until&) = delete;
    ~sleep_until() {
        engine_.timers().disarm(*this);
        resumable::unlink();
    }

    [[nodiscard]] static bool await_ready() noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
        coro::context& current = h.promise().current_context();
        if (current.cancelled()) {
            cancelled_ = true;
            return false;
        }
        set_waiter(h);
        current.watch(*this);
        engine_.timers().arm(*this, when_);
        if (!engine_.blocks()) return true;
        engine_.block_until(done_);
        return false;
    }
    /// Ends the sleep: fault::cancelled.
    void cancel() noexcept {
        cancelled_ = !done_;
        finish();
    }
    // A caller that only lets time pass may ignore it.
    result<void> await_resume() noexcept {
        if (cancelled_) return failure(fault::cancelled);
        return {};
    }

 private:
    void finish() noexcept {
        if (done_) return;
        done_ = true;
        engine_.timers().disarm(*this);
        if (!engine_.blocks()) engine_.ready().push(*this);
    }
    static void on_fire(timer& t) noexcept { static_cast<sleep_until&>(t).finish(); }
    static void on_cancel(cancel_hook& hook) noexcept { static_cast<sleep_until&>(hook).cancel(); }

    engine& engine_;
    time_point when_;
    bool done_ = false;
    bool cancelled_ = false;
};

/// `co_await sleep_for(e, 20ms)`.
[[nodiscard]] inline auto sleep_for(engine& e, duration d) noexcept {
    return sleep_until{e, after(clock::now(), d)};
}

}  // namespace sluice::io
