// Runs a function on another engine's thread and brings its result back.
#pragma once

#include <coroutine>
#include <optional>
#include <utility>

#include "sluice/coro/ready_queue.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/mailbox.hpp"

namespace sluice::io {

/// The letter of one call: it lives in the caller's frame, travels there, and comes back.
template <class Function>
class [[nodiscard]] remote_call : letter, coro::resumable {
    using value = std::invoke_result_t<Function&>;

 public:
    remote_call(engine& here, engine& there, Function f) noexcept
        : letter{&arrive}, here_{here}, there_{there}, function_{std::move(f)} {}
    remote_call(const remote_call&) = delete;
    remote_call& operator=(const remote_call&) = delete;
    ~remote_call() = default;

    [[nodiscard]] static bool await_ready() noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> h) noexcept {
        set_waiter(h);
        there_.post(*this);
        if (!here_.blocks()) return true;
        here_.block_until(back_);
        return false;
    }
    [[nodiscard]] value await_resume() noexcept { return std::move(*value_); }

 private:
    // Once on the other side, once at home.
    static void arrive(letter& l) noexcept {
        auto& self = static_cast<remote_call&>(l);
        if (!self.value_) {
            self.value_.emplace(self.function_());
            self.here_.post(self);
            return;
        }
        self.back_ = true;
        if (!self.here_.blocks()) self.here_.ready().push(self);
    }

    engine& here_;
    engine& there_;
    Function function_;
    std::optional<value> value_;
    bool back_ = false;
};

/// `co_await call_on(here, there, f)`: runs `f` on the thread of `there`, between two of its
/// coroutines, and gives what it returned. `f` must not wait. Not cancelled: the letter has to come
/// back, so `there` must keep running until it has.
template <class Function>
auto call_on(engine& here, engine& there, Function f) noexcept {
    return remote_call<Function>{here, there, std::move(f)};
}

}  // namespace sluice::io
