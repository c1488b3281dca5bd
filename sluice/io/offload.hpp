// Bounded thread pool for work that burns CPU or blocks, so that no event loop stalls.
#pragma once

#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "sluice/base/check.hpp"
#include "sluice/base/intrusive_list.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/ready_queue.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/mailbox.hpp"
#include "sluice/os/mutex.hpp"
#include "sluice/os/thread.hpp"

namespace sluice::io {

struct job_tag;

/// A job, in the frame of the coroutine that waits for it.
class job : public list_hook<job_tag> {
 public:
    job(const job&) = delete;
    job& operator=(const job&) = delete;

 protected:
    /// `work` runs on a worker's thread and posts the job back; the job may be gone after that.
    explicit job(void (*work)(job&) noexcept) noexcept : work_{work} {}
    ~job() = default;

 private:
    friend class offload_pool;
    void (*work_)(job&) noexcept;
};

/// At most `workers` threads, each started when a job finds no idle one, so that a process that has
/// offloaded nothing has no thread and may fork; and a queue of at most `queue` jobs that have not
/// begun. Coroutines of any engine may share a pool. It outlives every job; its destructor joins
/// the workers.
class offload_pool {
 public:
    /// Limits of a pool.
    struct options {
        std::size_t workers = 1;   ///< threads at most
        std::size_t queue = 1024;  ///< jobs that may wait for a thread
    };

    /// At least one worker. Starts no thread yet. Throws std::bad_alloc.
    explicit offload_pool(options o);
    offload_pool(const offload_pool&) = delete;
    offload_pool& operator=(const offload_pool&) = delete;
    ~offload_pool();

    /// `co_await pool.run(e, f)` returns the value of `f`, as a result unless it is one.
    /// fault::queue_full if the queue is full; EAGAIN if not one thread can be started;
    /// fault::cancelled if the wait is cancelled before a worker begins; ENOMEM if `f` throws
    /// std::bad_alloc, the one exception that it may throw. A job that has begun runs to its end.
    /// On an engine that works in place, `f` runs on the calling thread. Destroying the coroutine
    /// takes back a job that has not begun, and aborts if a worker has it.
    template <class Function>
    [[nodiscard]] auto run(engine& e, Function f) noexcept {
        return offloaded<Function>{*this, e, std::move(f)};
    }

    /// Jobs that no worker has begun. Any thread.
    [[nodiscard]] std::size_t queued() const noexcept;

 private:
    template <class Function>
    class offloaded;

    [[nodiscard]] result<void> push(job& j) noexcept;
    [[nodiscard]] bool start_worker() noexcept;
    /// Takes back a job that no worker has begun. False if one has.
    bool withdraw(job& j) noexcept;
    void work() noexcept;

    options options_;
    mutable os::mutex mutex_;
    os::condition condition_;
    intrusive_list<job, job_tag> jobs_;
    std::size_t queued_ = 0;
    std::size_t idle_ = 0;  // workers that wait for a job
    bool stopping_ = false;
    std::vector<os::thread> workers_;
};

template <class Function>
class [[nodiscard]] offload_pool::offloaded : job, message, coro::cancel_hook, coro::resumable {
    using returned = std::invoke_result_t<Function&>;
    using outcome = std::conditional_t<is_result<returned>, returned, result<returned>>;

 public:
    offloaded(offload_pool& pool, engine& e, Function f) noexcept
        : job{&work},
          message{&arrive_back},
          cancel_hook{&on_cancel},
          pool_{pool},
          engine_{e},
          function_{std::move(f)} {}
    offloaded(const offloaded&) = delete;
    offloaded& operator=(const offloaded&) = delete;
    ~offloaded() {
        if (has_waiter()) [[unlikely]]
            abandon();
    }

    [[nodiscard]] static bool await_ready() noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
        coro::context& current = h.promise().current_context();
        if (current.cancelled()) {
            outcome_ = failure(fault::cancelled);
            return false;
        }
        if (engine_.works_in_place()) {
            call_function();
            return false;
        }
        set_waiter(h);
        if (auto pushed = pool_.push(*this); !pushed) {
            outcome_ = failure(pushed.error());
            static_cast<void>(take_waiter());
            return false;
        }
        current.watch(*this);
        return true;
    }
    [[nodiscard]] outcome await_resume() noexcept {
        cancel_hook::unlink();
        return std::move(outcome_);
    }

 private:
    // For a coroutine that is destroyed while it waits.
    void abandon() noexcept {
        if (!resumable::linked()) {
            check(pool_.withdraw(*this),
                  "a coroutine is destroyed while a worker of an offload pool runs its job");
        }
        resumable::unlink();
    }
    void call_function() noexcept {
        try {
            if constexpr (std::is_void_v<returned>) {
                function_();
                outcome_ = {};
            } else {
                outcome_ = function_();
            }
        } catch (const std::bad_alloc&) {
            outcome_ = failure_of(ENOMEM);
        }
    }
    static void work(job& j) noexcept {
        auto& self = static_cast<offloaded&>(j);
        self.call_function();
        self.engine_.post(self);
    }
    static void arrive_back(message& m) noexcept {
        auto& self = static_cast<offloaded&>(m);
        self.engine_.ready().push(self);
    }
    static void on_cancel(cancel_hook& hook) noexcept {
        auto& self = static_cast<offloaded&>(hook);
        if (!self.pool_.withdraw(self)) return;
        self.outcome_ = failure(fault::cancelled);
        self.engine_.ready().push(self);
    }

    offload_pool& pool_;
    engine& engine_;
    Function function_;
    outcome outcome_ = failure(fault::cancelled);
};

}  // namespace sluice::io
