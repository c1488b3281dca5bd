// Lock-free mailbox: messages from other threads, delivered in order by its owner.
#pragma once

#include <atomic>
#include <utility>

namespace sluice::io {

/// A message to another thread. Lives in the sender's frame until it is delivered.
class message {
 public:
    /// `deliver` is called once, on the thread that owns the mailbox; the message may die in it.
    explicit message(void (*deliver)(message&) noexcept) noexcept : deliver_{deliver} {}
    message(const message&) = delete;
    message& operator=(const message&) = delete;
    ~message() = default;

 private:
    friend class mailbox;
    message* next_ = nullptr;
    void (*deliver_)(message&) noexcept;
};

/// Many senders, one owner. Messages of one sender are delivered in its order.
class mailbox {
 public:
    mailbox() noexcept = default;
    mailbox(const mailbox&) = delete;
    mailbox& operator=(const mailbox&) = delete;
    ~mailbox() = default;

    /// Any thread. True if the mailbox was empty: the sender then wakes the owner.
    [[nodiscard]] bool post(message& m) noexcept {
        message* head = head_.load(std::memory_order_relaxed);
        do {
            m.next_ = head;
        } while (!head_.compare_exchange_weak(head, &m, std::memory_order_release,
                                              std::memory_order_relaxed));
        return head == nullptr;
    }
    [[nodiscard]] bool empty() const noexcept {
        return head_.load(std::memory_order_relaxed) == nullptr;
    }
    /// The owner's thread: delivers all messages, oldest first.
    void deliver() noexcept {
        if (empty()) return;
        message* newest = head_.exchange(nullptr, std::memory_order_acquire);
        message* oldest = nullptr;
        while (newest != nullptr) {
            message* next = std::exchange(newest->next_, oldest);
            oldest = std::exchange(newest, next);
        }
        while (oldest != nullptr) {
            message* m = std::exchange(oldest, oldest->next_);
            m->deliver_(*m);
        }
    }

 private:
    std::atomic<message*> head_ = nullptr;
};

}  // namespace sluice::io
