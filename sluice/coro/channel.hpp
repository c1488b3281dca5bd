// Bounded channel between coroutines of one thread: send() waits while it is full.
#pragma once

#include <coroutine>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "sluice/base/check.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/ready_queue.hpp"

namespace sluice::coro {

/// A FIFO queue of at most `capacity` values. Allocates once, in its constructor. One thread; on
/// the blocking engine no other coroutine can fill or empty it, so a wait is a broken contract.
template <class T>
class channel {
 public:
    /// `capacity` in values, at least one. Throws std::bad_alloc.
    explicit channel(std::size_t capacity) : slots_(capacity) {
        check(capacity > 0, "a channel needs room for one value");
    }
    channel(const channel&) = delete;
    channel& operator=(const channel&) = delete;
    /// Closes it: waiters get fault::closed.
    ~channel() { close(); }

    /// `co_await c.send(v)`: waits for space. On fault::closed and fault::cancelled the value is
    /// dropped.
    [[nodiscard]] auto send(T value) noexcept { return sender{*this, std::move(value)}; }
    /// `co_await c.receive()`: waits for a value. fault::closed once the channel is closed and
    /// empty; fault::cancelled.
    [[nodiscard]] auto receive() noexcept { return receiver{*this}; }
    /// Sends without waiting; fault::queue_full or fault::closed if it cannot.
    result<void> try_send(T value) noexcept {
        if (closed_) return failure(fault::closed);
        if (!receivers_.empty()) {
            hand_over(value);
        } else if (full()) {
            return failure(fault::queue_full);
        } else {
            put(std::move(value));
        }
        return {};
    }
    /// Takes no more values; queued ones can still be received. Wakes all waiters.
    void close() noexcept {
        closed_ = true;
        while (!receivers_.empty()) waiter_at_front(receivers_).finish(failure(fault::closed));
        while (!senders_.empty()) waiter_at_front(senders_).finish(failure(fault::closed));
    }

    /// Values that wait to be received.
    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    /// The most values that can wait.
    [[nodiscard]] std::size_t capacity() const noexcept { return slots_.size(); }

 private:
    // A suspended send() or receive(). The coroutine that ends the wait hands the value over at
    // once, so that another one that runs before the waiter resumes cannot take it.
    class waiter : public resumable, public cancel_hook {
     public:
        waiter(channel& c, std::optional<T> value) noexcept
            : cancel_hook{&on_cancel}, channel_{c}, value_{std::move(value)} {}
        waiter(const waiter&) = delete;
        waiter& operator=(const waiter&) = delete;
        ~waiter() { resumable::unlink(); }

        void finish(result<void> outcome) noexcept {
            resumable::unlink();
            cancel_hook::unlink();
            outcome_ = outcome;
            queue_->push(*this);
        }
        std::optional<T>& value() noexcept { return value_; }

     protected:
        template <class Promise>
        bool wait(std::coroutine_handle<Promise> h, resumable_list& list) noexcept {
            context& current = h.promise().current_context();
            if (current.cancelled()) {
                outcome_ = failure(fault::cancelled);
                return false;
            }
            queue_ = &current.queue();
            set_waiter(h);
            current.watch(*this);
            list.push_back(*this);
            return true;
        }

        channel& channel_;
        std::optional<T> value_;
        result<void> outcome_;

     private:
        static void on_cancel(cancel_hook& hook) noexcept {
            static_cast<waiter&>(hook).finish(failure(fault::cancelled));
        }
        ready_queue* queue_ = nullptr;
    };

    class sender : public waiter {
     public:
        sender(channel& c, T value) noexcept : waiter{c, std::move(value)} {}
        [[nodiscard]] bool await_ready() noexcept {
            auto sent = this->channel_.try_send_from(*this->value_);
            if (!sent && sent.error() == fault::queue_full) return false;
            this->outcome_ = sent;
            return true;
        }
        template <class Promise>
        bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
            return this->wait(h, this->channel_.senders_);
        }
        [[nodiscard]] result<void> await_resume() noexcept { return this->outcome_; }
    };

    class receiver : public waiter {
     public:
        explicit receiver(channel& c) noexcept : waiter{c, std::nullopt} {}
        [[nodiscard]] bool await_ready() noexcept {
            if (this->channel_.count_ > 0) {
                this->value_ = this->channel_.get();
                return true;
            }
            if (this->channel_.closed_) this->outcome_ = failure(fault::closed);
            return this->channel_.closed_;
        }
        template <class Promise>
        bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
            return this->wait(h, this->channel_.receivers_);
        }
        [[nodiscard]] result<T> await_resume() noexcept {
            if (!this->outcome_) return std::unexpected{this->outcome_.error()};
            return std::move(*this->value_);
        }
    };

    [[nodiscard]] bool full() const noexcept { return count_ == slots_.size(); }
    static waiter& waiter_at_front(resumable_list& list) noexcept {
        return static_cast<waiter&>(list.front());
    }
    // Moves from `value` only if it accepts it.
    result<void> try_send_from(T& value) noexcept {
        if (!closed_ && receivers_.empty() && full()) return failure(fault::queue_full);
        return try_send(std::move(value));
    }
    void hand_over(T& value) noexcept {
        waiter& first = waiter_at_front(receivers_);
        first.value() = std::move(value);
        first.finish({});
    }
    void put(T value) noexcept {
        slots_[(first_ + count_) % slots_.size()].emplace(std::move(value));
        ++count_;
    }
    // The freed slot goes to the sender that has waited longest.
    T get() noexcept {
        auto& slot = slots_[first_];
        T value = std::move(*slot);
        slot.reset();
        first_ = (first_ + 1) % slots_.size();
        --count_;
        if (!senders_.empty()) {
            waiter& first = waiter_at_front(senders_);
            put(std::move(*first.value()));
            first.finish({});
        }
        return value;
    }

    std::vector<std::optional<T>> slots_;
    std::size_t first_ = 0;
    std::size_t count_ = 0;
    bool closed_ = false;
    resumable_list senders_;
    resumable_list receivers_;
};

}  // namespace sluice::coro
