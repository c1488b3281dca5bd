// Stream over a multishot operation: `co_await s.next()`.
#pragma once

#include <coroutine>
#include <cstddef>
#include <memory>
#include <new>

#include "sluice/base/check.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/op.hpp"

namespace sluice::io {

/// An operation that may complete many times: on io_uring it stays in the kernel, and its results
/// are collected as they come; on the other engines each next() is one attempt. `Derived` stores
/// results until the reader takes them:
///     bool has_result() const        a result, the end or an error is stored
///     result<T> take()             takes it
/// Its kind has `resume_without`. `Derived{engine, -1}` makes a stream that gives nothing.
/// One reader at a time. A reader that waits when the stream dies gets fault::cancelled; it must
/// not read again.
template <class Derived, class T>
class stream : public op {
 public:
    /// `co_await s.next()`: a result or the error that ended the stream; fault::cancelled if the
    /// wait was cancelled, which loses nothing: a later result is stored for the next call.
    [[nodiscard]] auto next() noexcept {
        return next_awaiter{static_cast<Derived&>(*this), nullptr};
    }
    /// The same, but only `within` can cancel the wait, not the coroutine's own context.
    [[nodiscard]] auto next(coro::context& within) noexcept {
        return next_awaiter{static_cast<Derived&>(*this), &within};
    }

 protected:
    using op::op;
    /// For a completion that finds enough results stored: ends the submission in the kernel,
    /// keeping its results. The next wait submits it again; complete() does not see the cancel.
    void pause() noexcept { owner().pause(*this); }
    /// For the kind of `Derived`: gives the reader another stream to return from, as its awaiter
    /// would look at the one that dies. Aborts without memory for it.
    static void resume_without(op& dying, std::coroutine_handle<> waiter) noexcept;

 private:
    struct stand_in;

    class next_awaiter {
     public:
        next_awaiter(Derived& s, coro::context* within) noexcept : stream_{&s}, within_{within} {}

        [[nodiscard]] bool await_ready() const noexcept { return stream_->has_result(); }
        template <class Promise>
        bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
            // Lets resume_without() find this awaiter, without a pointer in each idle connection:
            // the result of a stream's op is not used otherwise.
            stream_->set_raw_result(static_cast<int>(address_of(this) - address_of(h.address())));
            return stream_->begin_wait(
                h, within_ != nullptr ? *within_ : h.promise().current_context());
        }
        [[nodiscard]] result<T> await_resume() noexcept {
            if (!stream_->has_result()) return failure(fault::cancelled);
            return stream_->take();
        }
        /// Gives up the wait; the reader is resumed.
        void cancel() noexcept { stream_->owner().give_up_wait(*stream_); }

     private:
        friend class stream;

        Derived* stream_;
        coro::context* within_;
    };

    static std::byte* address_of(void* p) noexcept { return static_cast<std::byte*>(p); }
};

/// A stream without results, in the place of one that died. Deletes itself once the reader has
/// returned from it.
template <class Derived, class T>
struct stream<Derived, T>::stand_in final : turn_end {
    explicit stand_in(engine& owner) : turn_end{&delete_when_read}, empty{owner, -1} {}

    static void delete_when_read(turn_end& t) noexcept {
        std::unique_ptr<stand_in> self{static_cast<stand_in*>(&t)};
        // The budget of the turn may have left the reader on the ready queue.
        if (self->empty.has_waiter()) self->empty.owner().at_turn_end(*self.release());
    }

    Derived empty;
};

template <class Derived, class T>
void stream<Derived, T>::resume_without(op& dying, std::coroutine_handle<> waiter) noexcept {
    void* const found = address_of(waiter.address()) + static_cast<stream&>(dying).raw_result();
    auto& reader = *static_cast<next_awaiter*>(found);
    check(static_cast<op*>(reader.stream_) == &dying,
          "a stream is destroyed while a coroutine waits by an awaiter outside of its frame");
    std::unique_ptr<stand_in> other;
    try {
        other = std::make_unique<stand_in>(dying.owner());
    } catch (const std::bad_alloc&) {
        check(false, "no memory to resume the reader of a stream that is destroyed");
    }
    reader.stream_ = &other->empty;
    other->empty.set_waiter(waiter);
    dying.owner().ready().push(other->empty);
    dying.owner().at_turn_end(*other.release());
}

}  // namespace sluice::io
