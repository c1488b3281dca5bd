// Runs coroutines on a bare queue, without an engine.
#pragma once

#include <gtest/gtest.h>

#include <coroutine>
#include <utility>

#include "sluice/coro/context.hpp"
#include "sluice/coro/ready_queue.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/coro/task.hpp"

namespace sluice::test {

/// A queue and a root context. Coroutines are spawned into it, and run while anything may go on.
struct loop {
    coro::ready_queue queue;
    coro::context root{queue};
    coro::scope all{root};

    ~loop() { settle(); }
    /// Runs until no coroutine is ready.
    void settle() {
        while (!queue.empty()) queue.run(100);
    }
    void spawn(coro::task<void> t) { EXPECT_TRUE(all.spawn(std::move(t))); }
};

/// `co_await gate.wait()` until it is opened; cancellable or not.
class gate {
 public:
    class awaiter : public coro::resumable {
     public:
        explicit awaiter(gate& g) noexcept : gate_{g} {}
        [[nodiscard]] bool await_ready() const noexcept { return gate_.open_; }
        template <class Promise>
        void await_suspend(std::coroutine_handle<Promise> h) noexcept {
            set_waiter(h);
            queue_ = &h.promise().current_context().queue();
            gate_.waiters_.push_back(*this);
        }
        static void await_resume() noexcept {}

     private:
        friend class gate;
        gate& gate_;
        coro::ready_queue* queue_ = nullptr;
    };
    [[nodiscard]] auto wait() noexcept { return awaiter{*this}; }
    void open() noexcept {
        open_ = true;
        while (!waiters_.empty()) {
            auto& first = static_cast<awaiter&>(waiters_.pop_front());
            first.queue_->push(first);
        }
    }

 private:
    bool open_ = false;
    coro::resumable_list waiters_;
};

}  // namespace sluice::test
