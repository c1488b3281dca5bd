// Limit of concurrent connections, shared by the threads that accept them.
#pragma once

#include <coroutine>
#include <cstdint>

#include "sluice/base/intrusive_list.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/ready_queue.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/mailbox.hpp"
#include "sluice/os/mutex.hpp"

namespace sluice::model {

struct waiting_tag;

/// A semaphore. A coroutine that finds none waits without cost; a
/// released permit goes to the longest waiter. Any thread.
class connection_limit {
 public:
    explicit connection_limit(std::uint32_t most) noexcept : most_{most}, free_{most} {}

    /// `co_await limit.acquire(e)` on `e`'s thread: a permit to be released, or fault::cancelled.
    [[nodiscard]] auto acquire(io::engine& engine) noexcept {
        return acquiring{*this, engine, true};
    }
    /// The same without taking a permit: waits until one is free, which another may take at once.
    [[nodiscard]] auto until_free(io::engine& engine) noexcept {
        return acquiring{*this, engine, false};
    }
    void release() noexcept;
    /// Takes a permit if one is free.
    [[nodiscard]] bool try_acquire() noexcept;
    /// Changes the number of permits. Where more are held, none is free until so many are returned.
    void set_most(std::uint32_t most) noexcept;

 private:
    class acquiring : public list_hook<waiting_tag>,
                      io::message,
                      coro::cancel_hook,
                      coro::resumable {
     public:
        acquiring(connection_limit& owner, io::engine& engine, bool takes_permit) noexcept
            : message{&arrive},
              cancel_hook{&on_cancel},
              owner_{owner},
              engine_{engine},
              takes_permit_{takes_permit} {}
        acquiring(const acquiring&) = delete;
        acquiring& operator=(const acquiring&) = delete;
        ~acquiring() {
            if (has_waiter()) [[unlikely]]
                abandon();
        }

        [[nodiscard]] static bool await_ready() noexcept { return false; }
        template <class Promise>
        bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
            coro::context& context = h.promise().current_context();
            if (context.cancelled()) {
                outcome_ = failure(fault::cancelled);
                return false;
            }
            if (owner_.take_or_wait(*this)) return false;
            set_waiter(h);
            context.watch(*this);
            return true;
        }
        [[nodiscard]] result<void> await_resume() noexcept {
            cancel_hook::unlink();
            // Passes the permit on to the next waiter.
            if (granted_ && !takes_permit_) owner_.release();
            return outcome_;
        }

     private:
        friend class connection_limit;
        void abandon() noexcept;
        static void arrive(message& m) noexcept;
        static void on_cancel(cancel_hook& hook) noexcept;

        connection_limit& owner_;
        io::engine& engine_;
        bool takes_permit_;
        bool granted_ = false;
        result<void> outcome_;
    };

    bool take_or_wait(acquiring& waiter) noexcept;
    bool withdraw(acquiring& waiter) noexcept;

    void grant() noexcept;

    os::mutex mutex_;
    std::int64_t most_;
    std::int64_t free_;  // below 0: so many are to be returned first
    intrusive_list<acquiring, waiting_tag> waiting_;
};

}  // namespace sluice::model
