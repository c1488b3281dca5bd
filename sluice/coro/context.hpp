// What a coroutine inherits from whoever awaits it: the queue it is resumed from, and what cancels
// it.
#pragma once

#include <coroutine>

#include "sluice/base/intrusive_list.hpp"
#include "sluice/coro/ready_queue.hpp"

namespace sluice::coro {

struct cancel_tag;
class context;

/// Something that wants to hear of a cancellation: an operation in flight, a wait, a child context.
class cancel_hook : public list_hook<cancel_tag> {
 public:
    /// `on_cancel` is called at most once a registration, on the context's thread, with the hook
    /// already out of the context's list.
    explicit cancel_hook(void (*on_cancel)(cancel_hook&) noexcept) noexcept
        : on_cancel_{on_cancel} {}
    /// True while it watches `c`.
    [[nodiscard]] bool watches(const context& c) const noexcept {
        return linked() && watched_ == &c;
    }

 private:
    friend class context;
    void (*on_cancel_)(cancel_hook&) noexcept;
    const context* watched_ = nullptr;  // the last one
};

using cancel_list = intrusive_list<cancel_hook, cancel_tag>;

/// A node in the tree of cancellation. Cancelling it cancels everything that runs in it and every
/// context below it; nothing above. One thread.
class context {
 public:
    /// A root, cancelled only by hand.
    explicit context(ready_queue& queue) noexcept : outer_{nullptr}, queue_{queue} {}
    /// A child: cancelled with `outer`, which must outlive it.
    // NOLINTNEXTLINE(google-explicit-constructor): no copy, and nobody makes one by accident
    explicit context(context& outer) noexcept : outer_{this}, queue_{outer.queue_} {
        if (outer.cancelled_) {
            cancelled_ = true;
        } else {
            outer.hooks_.push_back(outer_);
        }
    }
    context(const context&) = delete;
    context& operator=(const context&) = delete;
    /// Hooks that still watch it hear of nothing any more.
    ~context() {
        outer_.unlink();
        while (!hooks_.empty()) hooks_.pop_front();
    }

    [[nodiscard]] bool cancelled() const noexcept { return cancelled_; }
    /// Idempotent. Resumes nobody itself: what was waiting becomes ready.
    void cancel() noexcept {
        cancelled_ = true;
        while (!hooks_.empty()) {
            cancel_hook& hook = hooks_.pop_front();
            hook.on_cancel_(hook);
        }
    }
    /// From now until it unlinks itself, `hook` hears of a cancellation. Not on a context that is
    /// cancelled already: ask first.
    void watch(cancel_hook& hook) noexcept {
        hook.watched_ = this;
        hooks_.push_back(hook);
    }

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

/// A view of a context that can ask and listen but not cancel.
class cancel_token {
 public:
    explicit cancel_token(context& c) noexcept : context_{&c} {}
    [[nodiscard]] bool cancelled() const noexcept { return context_->cancelled(); }
    void watch(cancel_hook& hook) const noexcept { context_->watch(hook); }

 private:
    context* context_;
};

/// `co_await this_context()` gives the context of the coroutine that asks; it never suspends.
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
