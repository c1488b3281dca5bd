// task<T>: a lazy coroutine that starts when it is awaited and returns its result to the awaiter.
#pragma once

#include <cerrno>
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

/// Owner of children that it does not await one by one: receives the end of each.
class child_owner {
 public:
    child_owner(const child_owner&) = delete;
    child_owner& operator=(const child_owner&) = delete;
    /// Called by the child alone, at its end; it frees itself when this returns. `had_memory` is
    /// false if std::bad_alloc ended it.
    virtual void child_done(bool had_memory) noexcept = 0;

 protected:
    child_owner() noexcept = default;
    ~child_owner() = default;
};

/// For exception handlers: returns if the exception is std::bad_alloc; any other breaks a contract.
void expect_lack_of_memory() noexcept;

/// Base of the promise of every task, whatever its result.
class promise_base {
 public:
    [[nodiscard]] static std::suspend_always initial_suspend() noexcept { return {}; }
    [[nodiscard]] auto final_suspend() noexcept { return final_awaiter{*this}; }

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

 protected:
    /// A finished coroutine needs no context, so a null one marks an end by std::bad_alloc.
    void end_without_memory() noexcept { context_ = nullptr; }
    [[nodiscard]] bool had_memory() const noexcept { return context_ != nullptr; }

 private:
    struct final_awaiter {
        promise_base& promise;

        // Ready means that the coroutine runs off its end and frees its own frame.
        [[nodiscard]] bool await_ready() const noexcept {
            if (promise.owner_ == nullptr) return false;
            promise.owner_->child_done(promise.had_memory());
            return true;
        }
        [[nodiscard]] std::coroutine_handle<> await_suspend(
            std::coroutine_handle<> /*self*/) const noexcept {
            // Null while the awaiter is still inside await_suspend, which checks done() itself.
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
    void unhandled_exception() noexcept {
        expect_lack_of_memory();
        if constexpr (is_result<T>) {
            value_.emplace(failure_of(ENOMEM));
        } else {
            value_.reset();
            end_without_memory();
        }
    }
    template <class U>
    void return_value(U&& value) noexcept(std::is_nothrow_constructible_v<T, U>) {
        value_.emplace(std::forward<U>(value));
    }
    [[nodiscard]] bool has_result() const noexcept { return is_result<T> || had_memory(); }
    [[nodiscard]] T take() noexcept {
        check(value_.has_value(), "the result of a task is taken twice, or before its end");
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
    void unhandled_exception() noexcept {
        expect_lack_of_memory();
        end_without_memory();
    }
    static void return_void() noexcept {}
    [[nodiscard]] bool has_result() const noexcept { return had_memory(); }
    static void take() noexcept {}
};

/// Owns a coroutine. Await it once, or give it to a scope. It runs in the context of its awaiter.
///
/// await_suspend starts the child, instead of symmetric transfer: a child that ends without
/// suspending (as every child does on the blocking engine) then costs no stack, whether or not the
/// compiler turns the transfer into a jump.
///
/// If there is no memory for the frame, or std::bad_alloc leaves the body, awaiting a task of a
/// result gives ENOMEM; awaiting any other task throws std::bad_alloc, as a call would, so that a
/// caller does not take half-done work for done. outcome() returns the failure without an
/// exception. No other exception may leave a coroutine. A coroutine that owns a scope awaits by
/// outcome(), since it has to be joined before it is destroyed.
template <class T = void>
class [[nodiscard]] task {
 public:
    /// What the compiler keeps in the coroutine's frame.
    using promise_type = promise<T>;
    /// A coroutine of this type, without an owner.
    using handle = std::coroutine_handle<promise_type>;

    task() noexcept = default;
    /// Takes ownership of the coroutine.
    explicit task(handle h) noexcept : handle_{h} {}
    /// Leaves `other` without a coroutine.
    task(task&& other) noexcept : handle_{std::exchange(other.handle_, nullptr)} {}
    /// Exchanges the coroutines.
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
    /// The caller owns the coroutine from now on.
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
    T await_resume() noexcept(is_result<T>) {
        if (!handle_ || !handle_.promise().has_result()) {
            if constexpr (is_result<T>) {
                return failure_of(ENOMEM);
            } else {
                throw std::bad_alloc{};
            }
        }
        return handle_.promise().take();
    }

    /// `co_await t.outcome()` gives result<T>: ENOMEM where awaiting the task itself would throw.
    [[nodiscard]] auto outcome() noexcept
        requires(!is_result<T>)
    {
        return outcome_awaiter{*this};
    }

 private:
    struct outcome_awaiter {
        task& inner;
        [[nodiscard]] bool await_ready() const noexcept { return inner.await_ready(); }
        template <class Promise>
        bool await_suspend(std::coroutine_handle<Promise> awaiting) const noexcept {
            return inner.await_suspend(awaiting);
        }
        [[nodiscard]] result<T> await_resume() const noexcept {
            if (!inner.handle_ || !inner.handle_.promise().has_result()) return failure_of(ENOMEM);
            if constexpr (std::is_void_v<T>) {
                return {};
            } else {
                return inner.handle_.promise().take();
            }
        }
    };

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
