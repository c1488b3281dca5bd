// A place where the coroutines of several engines wait for each other, once.
#pragma once

#include <coroutine>
#include <cstddef>
#include <mutex>
#include <vector>

#include "sluice/coro/ready_queue.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/mailbox.hpp"

namespace sluice::io {

/// `co_await b.arrive(here)` returns when as many have arrived as the barrier was made for, one for
/// each engine. What was posted to an engine before somebody arrived is delivered there before its
/// own coroutine goes on. Any thread; not on the blocking engine. Outlives those who wait.
class barrier {
 public:
    explicit barrier(std::size_t expected) : missing_{expected} { waiting_.reserve(expected); }
    barrier(const barrier&) = delete;
    barrier& operator=(const barrier&) = delete;
    ~barrier() = default;

    /// True if all came; false if it was abandoned. Not cancelled: everybody has to come.
    [[nodiscard]] auto arrive(engine& here) noexcept { return arrival{*this, here}; }
    /// Somebody will not come: whoever waits, and whoever comes later, goes on without.
    void abandon() noexcept {
        const std::lock_guard lock{mutex_};
        abandoned_ = true;
        release_all();
    }

 private:
    struct arrival : letter, coro::resumable {
        arrival(barrier& b, engine& e) noexcept
            : letter{[](letter& l) noexcept {
                  auto& self = static_cast<arrival&>(l);
                  self.home.ready().push(self);
              }},
              owner{b},
              home{e} {}
        [[nodiscard]] static bool await_ready() noexcept { return false; }
        bool await_suspend(std::coroutine_handle<> h) noexcept {
            const std::lock_guard lock{owner.mutex_};
            if (owner.abandoned_) return false;
            set_waiter(h);
            owner.waiting_.push_back(this);  // within what is reserved
            if (--owner.missing_ == 0) owner.release_all();
            return true;
        }
        [[nodiscard]] bool await_resume() const noexcept {
            const std::lock_guard lock{owner.mutex_};
            return !owner.abandoned_;
        }
        barrier& owner;
        engine& home;
    };

    void release_all() noexcept {
        for (arrival* one : waiting_) one->home.post(*one);
        waiting_.clear();
    }

    std::mutex mutex_;
    std::size_t missing_;
    bool abandoned_ = false;
    std::vector<arrival*> waiting_;
};

}  // namespace sluice::io
