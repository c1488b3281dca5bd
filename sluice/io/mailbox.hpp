// Letters from other threads: a lock-free stack that its owner empties in order.
#pragma once

#include <atomic>
#include <utility>

namespace sluice::io {

/// Something to be done on another thread. Lives in the sender's frame until it was delivered.
class letter {
 public:
    /// `deliver` is called once, on the thread that owns the mailbox; the letter may die in it.
    explicit letter(void (*deliver)(letter&) noexcept) noexcept : deliver_{deliver} {}
    letter(const letter&) = delete;
    letter& operator=(const letter&) = delete;
    ~letter() = default;

 private:
    friend class mailbox;
    letter* next_ = nullptr;
    void (*deliver_)(letter&) noexcept;
};

/// Many senders, one owner. Letters of one sender are delivered in its order.
class mailbox {
 public:
    mailbox() noexcept = default;
    mailbox(const mailbox&) = delete;
    mailbox& operator=(const mailbox&) = delete;
    ~mailbox() = default;

    /// Any thread. True if the box was empty: the sender then wakes the owner.
    [[nodiscard]] bool post(letter& l) noexcept {
        letter* head = head_.load(std::memory_order_relaxed);
        do {
            l.next_ = head;
        } while (!head_.compare_exchange_weak(head, &l, std::memory_order_release,
                                              std::memory_order_relaxed));
        return head == nullptr;
    }
    [[nodiscard]] bool empty() const noexcept {
        return head_.load(std::memory_order_relaxed) == nullptr;
    }
    /// The owner's thread: delivers what has come, oldest first.
    void deliver() noexcept {
        if (empty()) return;
        letter* newest = head_.exchange(nullptr, std::memory_order_acquire);
        letter* oldest = nullptr;
        while (newest != nullptr) {
            letter* next = std::exchange(newest->next_, oldest);
            oldest = std::exchange(newest, next);
        }
        while (oldest != nullptr) {
            letter* l = std::exchange(oldest, oldest->next_);
            l->deliver_(*l);
        }
    }

 private:
    std::atomic<letter*> head_ = nullptr;
};

}  // namespace sluice::io
