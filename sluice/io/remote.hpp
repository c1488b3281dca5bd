// call_on(): runs a function on another engine's thread and returns its result.
#pragma once

#include <coroutine>
#include <optional>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/coro/ready_queue.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/mailbox.hpp"

namespace sluice::io {

/// The message of one call: it lives in the caller's frame, is delivered, and is posted back.
template <class Function>
class [[nodiscard]] remote_call : message, coro::resumable {
    using value = std::invoke_result_t<Function&>;

 public:
    remote_call(engine& owner, engine& target, Function f) noexcept
        : message{&arrive}, owner_{owner}, target_{target}, function_{std::move(f)} {}
    remote_call(const remote_call&) = delete;
    remote_call& operator=(const remote_call&) = delete;
    ~remote_call() {
        check(!has_waiter() || returned_,
              "a coroutine is destroyed while its call is on another engine's thread");
        resumable::unlink();
    }

    [[nodiscard]] static bool await_ready() noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> h) noexcept {
        set_waiter(h);
        target_.post(*this);
        if (!owner_.blocks()) return true;
        owner_.block_until(returned_);
        return false;
    }
    [[nodiscard]] value await_resume() noexcept { return std::move(*value_); }

 private:
    // First on the target's thread, then on the owner's.
    static void arrive(message& m) noexcept {
        auto& self = static_cast<remote_call&>(m);
        if (!self.value_) {
            self.value_.emplace(self.function_());
            self.owner_.post(self);
            return;
        }
        self.returned_ = true;
        if (!self.owner_.blocks()) self.owner_.ready().push(self);
    }

    engine& owner_;
    engine& target_;
    Function function_;
    std::optional<value> value_;
    bool returned_ = false;
};

/// `co_await call_on(owner, target, f)`: runs `f` on the thread of `target`, between two of its
/// coroutines, and returns its value. `f` must not wait. Not cancellable: `target` must keep
/// running until the message has come back.
template <class Function>
auto call_on(engine& owner, engine& target, Function f) noexcept {
    return remote_call<Function>{owner, target, std::move(f)};
}

}  // namespace sluice::io
