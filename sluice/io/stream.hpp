// A multishot operation behind `co_await s.next()`.
#pragma once

#include <coroutine>

#include "sluice/base/result.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/op.hpp"

namespace sluice::io {

/// An operation that may complete many times: on io_uring it stays in the kernel and its results
/// are collected as they come; on the other engines each question is one attempt. `Derived` keeps
/// what came until somebody takes it:
///     bool has_news() const        something to take: a result, the end, an error
///     result<T> take()             takes it
/// One reader at a time. It must not be in flight when it dies: stop it through engine::cancel and
/// engine::when_quiet, as net::connection::close does.
template <class Derived, class T>
class stream : public op {
 public:
    /// `co_await s.next()`: a result or the error that ended the stream; fault::cancelled when the
    /// wait was given up, which loses nothing: what comes later is there for the next question.
    [[nodiscard]] auto next() noexcept {
        return next_awaiter{static_cast<Derived&>(*this), nullptr};
    }
    /// The same, but it is `within` that can cancel the wait, and not what the coroutine runs in.
    [[nodiscard]] auto next(coro::context& within) noexcept {
        return next_awaiter{static_cast<Derived&>(*this), &within};
    }

 protected:
    using op::op;
    /// For the completion that finds enough in store: ends the submission in the kernel, keeping
    /// what it brought. The next question takes it up again; complete() hears nothing of it.
    void pause() noexcept { home().pause(*this); }

 private:
    class next_awaiter {
     public:
        next_awaiter(Derived& s, coro::context* within) noexcept : stream_{s}, within_{within} {}

        [[nodiscard]] bool await_ready() const noexcept { return stream_.has_news(); }
        template <class Promise>
        bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
            return stream_.begin_wait(
                h, within_ != nullptr ? *within_ : h.promise().current_context());
        }
        [[nodiscard]] result<T> await_resume() noexcept {
            if (!stream_.has_news()) return failure(fault::cancelled);
            return stream_.take();
        }
        /// Gives the wait up; the reader is resumed.
        void cancel() noexcept { stream_.home().give_up_wait(stream_); }

     private:
        Derived& stream_;
        coro::context* within_;
    };
};

}  // namespace sluice::io
