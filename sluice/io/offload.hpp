// A bounded pool of threads for work that burns CPU or can only block, so that no loop stalls.
#pragma once

#include <cerrno>
#include <condition_variable>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "sluice/base/intrusive_list.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/ready_queue.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/mailbox.hpp"

namespace sluice::io {

struct job_tag;

/// One piece of work, in the frame of the coroutine that waits for it.
class job : public list_hook<job_tag> {
 public:
    job(const job&) = delete;
    job& operator=(const job&) = delete;

 protected:
    /// `work` runs on a worker's thread and sends the job home; it may be gone after that.
    explicit job(void (*work)(job&) noexcept) noexcept : work_{work} {}
    ~job() = default;

 private:
    friend class offload_pool;
    void (*work_)(job&) noexcept;
};

/// `workers` threads and a queue of at most `queue` jobs that nobody has begun. Any engine's
/// coroutines may use one pool. It outlives every job; its end waits for the workers.
class offload_pool {
 public:
    struct options {
        std::size_t workers = 1;
        std::size_t queue = 1024;
    };

    /// Goes on with fewer workers where no more can be had. Throws std::system_error without one.
    explicit offload_pool(options o);
    offload_pool(const offload_pool&) = delete;
    offload_pool& operator=(const offload_pool&) = delete;
    ~offload_pool();

    /// `co_await pool.run(e, f)`: gives result<what f returns>. fault::queue_full when the queue
    /// has no room; fault::cancelled when the wait was cancelled before anybody began; ENOMEM where
    /// `f` threw std::bad_alloc, the one exception that it may throw. What has begun runs to its
    /// end. Where the engine works in place, `f` runs there.
    template <class Function>
    [[nodiscard]] auto run(engine& e, Function f) noexcept {
        return offloaded<Function>{*this, e, std::move(f)};
    }

    /// Jobs that nobody has begun. Any thread.
    [[nodiscard]] std::size_t queued() const noexcept;

 private:
    template <class Function>
    class offloaded;

    bool push(job& j) noexcept;
    /// Takes back a job that nobody has begun. False if somebody has.
    bool withdraw(job& j) noexcept;
    void work() noexcept;

    options options_;
    mutable std::mutex mutex_;
    std::condition_variable news_;
    intrusive_list<job, job_tag> jobs_;
    std::size_t queued_ = 0;
    bool stopping_ = false;
    std::vector<std::thread> workers_;
};

template <class Function>
class [[nodiscard]] offload_pool::offloaded : job, letter, coro::cancel_hook, coro::resumable {
    using value = std::invoke_result_t<Function&>;

 public:
    offloaded(offload_pool& pool, engine& e, Function f) noexcept
        : job{&work},
          letter{&come_home},
          cancel_hook{&on_cancel},
          pool_{pool},
          engine_{e},
          function_{std::move(f)} {}

    [[nodiscard]] static bool await_ready() noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
        coro::context& here = h.promise().current_context();
        if (here.cancelled()) {
            outcome_ = failure(fault::cancelled);
            return false;
        }
        if (engine_.works_in_place()) {
            do_it();
            return false;
        }
        set_waiter(h);
        if (!pool_.push(*this)) {
            outcome_ = failure(fault::queue_full);
            return false;
        }
        here.watch(*this);
        return true;
    }
    [[nodiscard]] result<value> await_resume() noexcept {
        cancel_hook::unlink();
        return std::move(outcome_);
    }

 private:
    void do_it() noexcept {
        try {
            if constexpr (std::is_void_v<value>) {
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
        self.do_it();
        self.engine_.post(self);
    }
    static void come_home(letter& l) noexcept {
        auto& self = static_cast<offloaded&>(l);
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
    result<value> outcome_ = failure(fault::cancelled);
};

}  // namespace sluice::io
