// Stream over a multishot operation: `co_await s.next()`.
#pragma once

#include <coroutine>

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
/// One reader at a time. It must not be in flight when it dies: stop it through engine::cancel and
/// engine::when_idle, as net::connection::close does.
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

 private:
    class next_awaiter {
     public:
        next_awaiter(Derived& s, coro::context* within) noexcept : stream_{s}, within_{within} {}

        [[nodiscard]] bool await_ready() const noexcept { return stream_.has_result(); }
        template <class Promise>
        bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
            return stream_.begin_wait(
                h, within_ != nullptr ? *within_ : h.promise().current_context());
        }
        [[nodiscard]] result<T> await_resume() noexcept {
            if (!stream_.has_result()) return failure(fault::cancelled);
            return stream_.take();
        }
        /// Gives up the wait; the reader is resumed.
        void cancel() noexcept { stream_.owner().give_up_wait(stream_); }

     private:
        Derived& stream_;
        coro::context* within_;
    };
};

}  // namespace sluice::io
