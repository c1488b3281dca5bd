// A coroutine that starts when it is awaited and gives its result to the one who awaits it.
#pragma once

#include <coroutine>
#include <cstddef>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/frame_allocator.hpp"

namespace sluice::coro {

template <class T>
class task;

/// Whoever starts coroutines without awaiting them one by one, and so must hear of each one's end.
class child_owner {
 public:
    child_owner(const child_owner&) = delete;
    child_owner& operator=(const child_owner&) = delete;
    /// The child has run to its end and frees itself when this returns. For the child alone.
    virtual void child_done() noexcept = 0;

 protected:
    child_owner() noexcept = default;
    ~child_owner() = default;
};

/// What every promise of a task has, whatever its result.
class promise_base {
 public:
    [[nodiscard]] static std::suspend_always initial_suspend() noexcept { return {}; }
    [[nodiscard]] auto final_suspend() noexcept { return final_awaiter{*this}; }
    // An exception that gets here has skipped every owner of an operation in flight.
    [[noreturn]] static void unhandled_exception() noexcept {
        broken_contract("an exception left a coroutine", std::source_location::current());
    }

    [[nodiscard]] context& current_context() const noexcept { return *context_; }
    [[nodiscard]] bool has_context() const noexcept { return context_ != nullptr; }
    void set_context(context& c) noexcept { context_ = &c; }
    void set_continuation(std::coroutine_handle<> h) noexcept { continuation_ = h; }
    void set_owner(child_owner& owner) noexcept { owner_ = &owner; }

    // The standard asks for the second form; g++ 12 looks for the first.
    static void* operator new(std::size_t size) noexcept { return allocate_frame(size); }
    static void* operator new(std::size_t size, const std::nothrow_t& /*unused*/) noexcept {
        return allocate_frame(size);
    }
    static void operator delete(void* frame, std::size_t size) noexcept { free_frame(frame, size); }

 private:
    struct final_awaiter {
        promise_base& promise;

        // Ready means that the coroutine runs off its end and frees its own frame.
        [[nodiscard]] bool await_ready() const noexcept {
            if (promise.owner_ == nullptr) return false;
            promise.owner_->child_done();
            return true;
        }
        [[nodiscard]] std::coroutine_handle<> await_suspend(
            std::coroutine_handle<> /*self*/) const noexcept {
            // None while the awaiting coroutine is still inside await_suspend: it looks for itself.
            if (promise.continuation_) return promise.continuation_;
            return std::noop_coroutine();
        }
        static void await_resume() noexcept {}
    };

    std::coroutine_handle<> continuation_;
    context* context_ = nullptr;
    child_owner* owner_ = nullptr;
};

template <class T>
class promise final : public promise_base {
 public:
    [[nodiscard]] task<T> get_return_object() noexcept;
    [[nodiscard]] static task<T> get_return_object_on_allocation_failure() noexcept;
    template <class U>
    void return_value(U&& value) noexcept {
        value_.emplace(std::forward<U>(value));
    }
    [[nodiscard]] T take() noexcept {
        check(value_.has_value(), "a task gives its result once, at its end");
        return std::move(*value_);
    }

 private:
    std::optional<T> value_;
};

template <>
class promise<void> final : public promise_base {
 public:
    [[nodiscard]] task<void> get_return_object() noexcept;
    [[nodiscard]] static task<void> get_return_object_on_allocation_failure() noexcept;
    static void return_void() noexcept {}
    static void take() noexcept {}
};

template <class T>
inline constexpr bool is_result = false;
template <class T>
inline constexpr bool is_result<result<T>> = true;

/// Owns a coroutine. Await it once, or give it to a scope. It runs in the context of its awaiter.
///
/// The child is started from inside await_suspend rather than by symmetric transfer: one that ends
/// without suspending (every one does on the blocking engine) then costs no stack, whether or not
/// the compiler turns the transfer into a jump.
///
/// When there is no memory for the frame, awaiting a task of a result gives ENOMEM.
template <class T = void>
class [[nodiscard]] task {
 public:
    using promise_type = promise<T>;
    using handle = std::coroutine_handle<promise_type>;

    task() noexcept = default;
    explicit task(handle h) noexcept : handle_{h} {}
    task(task&& other) noexcept : handle_{std::exchange(other.handle_, nullptr)} {}
    task& operator=(task&& other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    task(const task&) = delete;
    task& operator=(const task&) = delete;
    ~task() {
        if (handle_) handle_.destroy();
    }

    /// False if there was no memory for the coroutine.
    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(handle_); }
    /// Runs in `c` instead of the awaiter's context.
    void set_context(context& c) noexcept {
        if (handle_) handle_.promise().set_context(c);
    }
    /// The caller owns the coroutine from here.
    [[nodiscard]] handle release() noexcept { return std::exchange(handle_, nullptr); }

    [[nodiscard]] bool await_ready() const noexcept { return !handle_; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
        auto& child = handle_.promise();
        if (!child.has_context()) child.set_context(awaiting.promise().current_context());
        handle_.resume();
        if (handle_.done()) return false;
        child.set_continuation(awaiting);
        return true;
    }
    T await_resume() noexcept {
        if (!handle_) {
            if constexpr (is_result<T>) {
                return failure_of(ENOMEM);
            } else {
                broken_contract("no memory for a coroutine", std::source_location::current());
            }
        }
        return handle_.promise().take();
    }

 private:
    handle handle_;
};

template <class T>
task<T> promise<T>::get_return_object() noexcept {
    return task<T>{std::coroutine_handle<promise>::from_promise(*this)};
}
template <class T>
task<T> promise<T>::get_return_object_on_allocation_failure() noexcept {
    return {};
}
inline task<void> promise<void>::get_return_object() noexcept {
    return task<void>{std::coroutine_handle<promise>::from_promise(*this)};
}
inline task<void> promise<void>::get_return_object_on_allocation_failure() noexcept {
    return {};
}

}  // namespace sluice::coro
