// Scope: runs child tasks concurrently and joins them all before it ends.
#pragma once

#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/ready_queue.hpp"
#include "sluice/coro/task.hpp"

namespace sluice::coro {

/// Whether the other children go on when std::bad_alloc ends one.
enum class siblings : std::uint8_t {
    depend,  ///< they are cancelled, as they may wait for that child; join() throws it
    go_on,   ///< they are independent of it
};

/// Runs child tasks. No coroutine is detached: a scope must be joined, and is destroyed only when
/// no child is left. One thread.
class scope final : public child_owner {
 public:
    /// Children run in a context of their own below `outer`: they are cancelled with it, or by
    /// cancel().
    explicit scope(context& outer, siblings others = siblings::depend) noexcept
        : context_{outer}, siblings_{others} {}
    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;
    ~scope() { check(children_ == 0, "a scope is destroyed with children: join it first"); }

    /// Starts the child, which runs until its first wait before this returns. ENOMEM, and nothing
    /// runs, if there was no memory for its frame.
    result<void> spawn(task<void> child) noexcept {
        if (!child) return failure_of(ENOMEM);
        auto handle = child.release();
        handle.promise().set_context(context_);
        handle.promise().set_owner(*this);
        ++children_;
        // A joiner that is ready and has not resumed yet waits for this child, too.
        if (joiner_ != nullptr) joiner_->unlink();
        handle.resume();
        return {};
    }
    /// Cancels every child, present and future. Idempotent.
    void cancel() noexcept { context_.cancel(); }
    /// Children that have not ended.
    [[nodiscard]] std::size_t size() const noexcept { return children_; }
    /// The context of the children.
    [[nodiscard]] context& inner() noexcept { return context_; }

    /// `co_await scope.join()` waits until no child is left. A cancellation reaches the children;
    /// the joiner still waits for them. One joiner at a time. Throws std::bad_alloc, once, if that
    /// ended a child under siblings::depend.
    [[nodiscard]] auto join() noexcept { return joiner{*this}; }
    /// True if std::bad_alloc has ended a child and no join() has reported it.
    [[nodiscard]] bool lacked_memory() const noexcept { return lacked_memory_; }

    /// For the children alone.
    void child_done(bool had_memory) noexcept override {
        if (!had_memory) [[unlikely]] {
            lacked_memory_ = true;
            if (siblings_ == siblings::depend) cancel();
        }
        --children_;
        if (children_ > 0 || joiner_ == nullptr || joiner_->linked()) return;
        context_.queue().push(*joiner_);
    }

 private:
    struct joiner : resumable {
        explicit joiner(scope& s) noexcept : owner{s} {}
        joiner(const joiner&) = delete;
        joiner& operator=(const joiner&) = delete;
        ~joiner() { unlink(); }
        [[nodiscard]] bool await_ready() const noexcept { return owner.children_ == 0; }
        void await_suspend(std::coroutine_handle<> h) noexcept {
            check(owner.joiner_ == nullptr, "a scope has one joiner at a time");
            set_waiter(h);
            owner.joiner_ = this;
        }
        void await_resume() const {
            owner.joiner_ = nullptr;
            if (!std::exchange(owner.lacked_memory_, false)) return;
            if (owner.siblings_ == siblings::depend) throw std::bad_alloc{};
        }
        scope& owner;
    };

    context context_;
    std::size_t children_ = 0;
    joiner* joiner_ = nullptr;
    siblings siblings_;
    bool lacked_memory_ = false;
};

}  // namespace sluice::coro
