// Awaitable that cancels a transfer once no byte moves for a time limit.
#pragma once

#include <coroutine>
#include <optional>
#include <utility>

#include "sluice/base/result.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/transfer/moved.hpp"

namespace sluice::files {

/// `co_await unless_stalled(e, transfer::send_file(..., counter), counter, limit)`: the same
/// result, or fault::timed_out once no byte has moved for `limit`, or up to twice that.
template <class T>
class [[nodiscard]] unless_stalled : io::timer {
 public:
    unless_stalled(io::engine& e, coro::task<result<T>> inner, const transfer::moved& counter,
                   io::duration limit) noexcept
        : timer{&on_fire}, engine_{e}, inner_{std::move(inner)}, counter_{counter}, limit_{limit} {}
    unless_stalled(const unless_stalled&) = delete;
    unless_stalled& operator=(const unless_stalled&) = delete;
    ~unless_stalled() { engine_.timers().disarm(*this); }

    [[nodiscard]] bool await_ready() noexcept { return inner_.await_ready(); }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
        context_.emplace(h.promise().current_context());
        inner_.set_context(*context_);
        rearm();
        return inner_.await_suspend(h);
    }
    [[nodiscard]] result<T> await_resume() noexcept {
        engine_.timers().disarm(*this);
        result<T> outcome = inner_.await_resume();
        if (stalled_ && !outcome && outcome.error() == fault::cancelled) {
            outcome = failure(fault::timed_out);
        }
        return outcome;
    }

 private:
    void rearm() noexcept {
        seen_ = counter_.bytes();
        engine_.timers().arm(*this, io::after(io::clock::now(), limit_));
    }
    static void on_fire(timer& t) noexcept {
        auto& self = static_cast<unless_stalled&>(t);
        if (self.counter_.bytes() != self.seen_) {
            self.rearm();
            return;
        }
        self.stalled_ = true;
        self.context_->cancel();
    }

    io::engine& engine_;
    coro::task<result<T>> inner_;
    const transfer::moved& counter_;
    io::duration limit_;
    std::uint64_t seen_ = 0;
    std::optional<coro::context> context_;
    bool stalled_ = false;
};

}  // namespace sluice::files
