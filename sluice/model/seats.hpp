// How many clients may be here at a time, counted over the threads that accept them.
#pragma once

#include <coroutine>
#include <cstddef>
#include <mutex>

#include "sluice/base/intrusive_list.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/ready_queue.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/mailbox.hpp"

namespace sluice::model {

struct seat_tag;

/// A fixed number of seats. A coroutine that finds none waits, and costs nothing meanwhile; one
/// that is given back goes to who has waited longest. Any threads.
class seats {
 public:
    explicit seats(std::size_t most) noexcept : free_{most} {}

    /// `co_await s.take(e)` on the thread of `e`: fault::cancelled, or a seat to be given back.
    [[nodiscard]] auto take(io::engine& here) noexcept { return taking{*this, here, true}; }
    /// The same, and takes none: waits until one is free, which another may take at once.
    [[nodiscard]] auto until_one_is_free(io::engine& here) noexcept {
        return taking{*this, here, false};
    }
    void give_back() noexcept;

 private:
    class taking : public list_hook<seat_tag>, io::letter, coro::cancel_hook, coro::resumable {
     public:
        taking(seats& owner, io::engine& here, bool keeps) noexcept
            : letter{&arrive}, cancel_hook{&on_cancel}, owner_{owner}, here_{here}, keeps_{keeps} {}

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
            // What it was handed goes on to the next.
            if (handed_over_ && !keeps_) owner_.give_back();
            return outcome_;
        }

     private:
        friend class seats;
        static void arrive(letter& l) noexcept;
        static void on_cancel(cancel_hook& hook) noexcept;

        seats& owner_;
        io::engine& here_;
        bool keeps_;
        bool handed_over_ = false;
        result<void> outcome_;
    };

    bool take_or_wait(taking& who) noexcept;
    bool withdraw(taking& who) noexcept;

    std::mutex mutex_;
    std::size_t free_;
    intrusive_list<taking, seat_tag> waiting_;
};

}  // namespace sluice::model
