// Ready queue: suspended coroutines that are ready to resume, in FIFO order.
#pragma once

#include <coroutine>
#include <cstddef>
#include <utility>

#include "sluice/base/intrusive_list.hpp"

namespace sluice::coro {

struct ready_tag;

/// A queue node for one suspended coroutine. Lives in the awaiter, so queueing allocates nothing.
class resumable : public list_hook<ready_tag> {
 public:
    void set_waiter(std::coroutine_handle<> h) noexcept { waiter_ = h; }
    [[nodiscard]] bool has_waiter() const noexcept { return static_cast<bool>(waiter_); }
    /// Returns the waiter and clears it; a caller resumes it once.
    [[nodiscard]] std::coroutine_handle<> take_waiter() noexcept {
        return std::exchange(waiter_, nullptr);
    }

 private:
    std::coroutine_handle<> waiter_;
};

using resumable_list = intrusive_list<resumable, ready_tag>;

/// First in, first out. One thread.
class ready_queue {
 public:
    [[nodiscard]] bool empty() const noexcept { return list_.empty(); }
    void push(resumable& r) noexcept { list_.push_back(r); }

    /// Resumes at most `budget` coroutines, including those that become ready meanwhile; the rest
    /// wait for the next call, so that a busy few cannot keep the thread from its I/O.
    void run(std::size_t budget) noexcept {
        for (; budget > 0 && !list_.empty(); --budget) list_.pop_front().take_waiter().resume();
    }

 private:
    resumable_list list_;
};

}  // namespace sluice::coro
