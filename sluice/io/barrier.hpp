// Barrier for coroutines of several engines, for one use.
#pragma once

#include <coroutine>
#include <cstddef>
#include <mutex>
#include <vector>

#include "sluice/base/check.hpp"
#include "sluice/coro/ready_queue.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/mailbox.hpp"
#include "sluice/os/mutex.hpp"

namespace sluice::io {

/// `co_await b.arrive(e)` returns when `expected` coroutines have arrived, one per engine. A
/// message that was posted to an engine before the last arrival is delivered before that engine's
/// coroutine resumes. Any thread; not on the blocking engine. Outlives its waiters.
class barrier {
 public:
    /// `expected` in coroutines, at least one. Throws std::bad_alloc.
    explicit barrier(std::size_t expected) : missing_{expected} { waiting_.reserve(expected); }
    barrier(const barrier&) = delete;
    barrier& operator=(const barrier&) = delete;
    ~barrier() = default;

    /// True if all arrived; false if it was abandoned. Not cancellable: every arrival is needed.
    [[nodiscard]] auto arrive(engine& e) noexcept { return arrival{*this, e}; }
    /// A coroutine will not arrive: present and later waiters resume without it.
    void abandon() noexcept {
        const std::lock_guard lock{mutex_};
        abandoned_ = true;
        release_all();
    }

 private:
    struct arrival : message, coro::resumable {
        arrival(barrier& b, engine& e) noexcept
            : message{[](message& m) noexcept {
                  auto& self = static_cast<arrival&>(m);
                  self.waiter_engine.ready().push(self);
              }},
              owner{b},
              waiter_engine{e} {}
        arrival(const arrival&) = delete;
        arrival& operator=(const arrival&) = delete;
        ~arrival() {
            check(!has_waiter() || resumable::linked(),
                  "a coroutine is destroyed while it waits at a barrier");
            resumable::unlink();
        }
        [[nodiscard]] static bool await_ready() noexcept { return false; }
        bool await_suspend(std::coroutine_handle<> h) noexcept {
            const std::lock_guard lock{owner.mutex_};
            if (owner.abandoned_) return false;
            set_waiter(h);
            owner.waiting_.push_back(this);  // within the reserved capacity
            if (--owner.missing_ == 0) owner.release_all();
            return true;
        }
        [[nodiscard]] bool await_resume() const noexcept {
            const std::lock_guard lock{owner.mutex_};
            return !owner.abandoned_;
        }
        barrier& owner;
        engine& waiter_engine;
    };

    void release_all() noexcept {
        for (arrival* waiter : waiting_) waiter->waiter_engine.post(*waiter);
        waiting_.clear();
    }

    os::mutex mutex_;
    std::size_t missing_;
    bool abandoned_ = false;
    std::vector<arrival*> waiting_;
};

}  // namespace sluice::io
