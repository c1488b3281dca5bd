// Context of a coroutine, inherited from its awaiter: a node of the cancellation tree, and the
// queue that resumes it.
#pragma once

#include <coroutine>

#include "sluice/base/intrusive_list.hpp"
#include "sluice/coro/ready_queue.hpp"

namespace sluice::coro {

struct cancel_tag;
class context;

/// Receiver of a cancellation: an operation in flight, a wait, a child context.
class cancel_hook : public list_hook<cancel_tag> {
 public:
    /// `on_cancel` is called at most once per registration, on the context's thread, after the hook
    /// has left the context's list.
    explicit cancel_hook(void (*on_cancel)(cancel_hook&) noexcept) noexcept
        : on_cancel_{on_cancel} {}
    cancel_hook(const cancel_hook&) = delete;
    cancel_hook& operator=(const cancel_hook&) = delete;
    ~cancel_hook() { unlink(); }
    /// True while the hook watches `c`.
    [[nodiscard]] bool watches(const context& c) const noexcept {
        return linked() && watched_ == &c;
    }

 private:
    friend class context;
    void (*on_cancel_)(cancel_hook&) noexcept;
    const context* watched_ = nullptr;  // of the last watch()
};

/// The hooks that watch a context.
using cancel_list = intrusive_list<cancel_hook, cancel_tag>;

/// A node of the cancellation tree. Cancelling it cancels all operations and waits in it and in
/// every context below it. One thread.
class context {
 public:
    /// A root, cancelled only by cancel().
    explicit context(ready_queue& queue) noexcept : outer_{nullptr}, queue_{queue} {}
    /// A child: cancelled with `outer`, which must outlive it.
    // NOLINTNEXTLINE(google-explicit-constructor): explicit, and not a copy
    explicit context(context& outer) noexcept : outer_{this}, queue_{outer.queue_} {
        if (outer.cancelled_) {
            cancelled_ = true;
        } else {
            outer.hooks_.push_back(outer_);
        }
    }
    context(const context&) = delete;
    context& operator=(const context&) = delete;
    /// Unlinks the hooks that still watch it, without a call.
    ~context() {
        while (!hooks_.empty()) hooks_.pop_front();
    }

    /// True once it, or a context above it, was cancelled.
    [[nodiscard]] bool cancelled() const noexcept { return cancelled_; }
    /// Idempotent. Resumes no coroutine itself: the waiting ones become ready.
    void cancel() noexcept {
        cancelled_ = true;
        while (!hooks_.empty()) {
            cancel_hook& hook = hooks_.pop_front();
            hook.on_cancel_(hook);
        }
    }
    /// Registers `hook` until it unlinks itself. Only on a context that is not cancelled: check
    /// cancelled() first.
    void watch(cancel_hook& hook) noexcept {
        hook.watched_ = this;
        hooks_.push_back(hook);
    }

    /// The queue that resumes its coroutines.
    [[nodiscard]] ready_queue& queue() const noexcept { return queue_; }

 private:
    struct link_to_outer : cancel_hook {
        explicit link_to_outer(context* c) noexcept
            : cancel_hook{[](cancel_hook& hook) noexcept {
                  static_cast<link_to_outer&>(hook).inner->cancel();
              }},
              inner{c} {}
        context* inner;
    };

    link_to_outer outer_;
    ready_queue& queue_;
    cancel_list hooks_;
    bool cancelled_ = false;
};

/// A view of a context that can check and watch but not cancel.
class cancel_token {
 public:
    /// `c` outlives it.
    explicit cancel_token(context& c) noexcept : context_{&c} {}
    /// As context::cancelled().
    [[nodiscard]] bool cancelled() const noexcept { return context_->cancelled(); }
    /// As context::watch().
    void watch(cancel_hook& hook) const noexcept { context_->watch(hook); }

 private:
    context* context_;
};

/// `co_await this_context()` returns the context of the calling coroutine; it never suspends.
class this_context {
 public:
    [[nodiscard]] static bool await_ready() noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
        context_ = &h.promise().current_context();
        return false;
    }
    [[nodiscard]] context& await_resume() const noexcept { return *context_; }

 private:
    context* context_ = nullptr;
};

}  // namespace sluice::coro
