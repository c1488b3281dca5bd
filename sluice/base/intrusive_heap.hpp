// A pairing heap whose links live in its elements: no allocation, removal from anywhere.
#pragma once

#include <utility>

#include "sluice/base/check.hpp"

namespace sluice {

template <class T>
class intrusive_heap;

/// The links of one element. Not copyable and not movable: its neighbours point to it.
template <class T>
class heap_hook {
 public:
    heap_hook() noexcept = default;
    heap_hook(const heap_hook&) = delete;
    heap_hook& operator=(const heap_hook&) = delete;
    ~heap_hook() = default;

    [[nodiscard]] bool in_heap() const noexcept { return in_heap_; }

 private:
    friend class intrusive_heap<T>;

    T* child_ = nullptr;
    T* next_ = nullptr;  // right sibling
    T* prev_ = nullptr;  // left sibling, or the parent of a first child
    bool in_heap_ = false;
};

/// The least element first, by operator<. Elements derive from heap_hook<T> and are not owned.
/// push O(1); pop and remove O(log n) amortised (Fredman, Sedgewick, Sleator, Tarjan 1986).
template <class T>
class intrusive_heap {
 public:
    intrusive_heap() noexcept = default;
    intrusive_heap(const intrusive_heap&) = delete;
    intrusive_heap& operator=(const intrusive_heap&) = delete;
    ~intrusive_heap() { check(root_ == nullptr, "a heap is destroyed with elements in it"); }

    [[nodiscard]] bool empty() const noexcept { return root_ == nullptr; }
    /// nullptr if empty.
    [[nodiscard]] T* least() const noexcept { return root_; }

    void push(T& element) noexcept {
        check(!element.in_heap_, "an element is pushed while it is in a heap");
        element.in_heap_ = true;
        root_ = merge(root_, &element);
    }
    /// Removes the element; no effect if it is in no heap.
    void remove(T& element) noexcept {
        if (!element.in_heap_) return;
        if (root_ == &element) {
            root_ = merge_pairs(element.child_);
        } else {
            cut(element);
            root_ = merge(root_, merge_pairs(element.child_));
        }
        element.child_ = element.next_ = element.prev_ = nullptr;
        element.in_heap_ = false;
    }

 private:
    static void cut(T& element) noexcept {
        if (element.prev_->child_ == &element) {
            element.prev_->child_ = element.next_;
        } else {
            element.prev_->next_ = element.next_;
        }
        if (element.next_ != nullptr) element.next_->prev_ = element.prev_;
    }
    static T* merge(T* a, T* b) noexcept {
        if (a == nullptr) return b;
        if (b == nullptr) return a;
        if (*b < *a) std::swap(a, b);
        b->next_ = a->child_;
        if (b->next_ != nullptr) b->next_->prev_ = b;
        b->prev_ = a;
        a->child_ = b;
        return a;
    }
    // Two passes, without recursion: a heap of a million timers must not need a deep stack.
    static T* merge_pairs(T* first) noexcept {
        T* pairs = nullptr;
        while (first != nullptr) {
            T* a = first;
            T* b = a->next_;
            first = b != nullptr ? b->next_ : nullptr;
            a->next_ = a->prev_ = nullptr;
            if (b != nullptr) b->next_ = b->prev_ = nullptr;
            T* merged = merge(a, b);
            merged->next_ = pairs;
            pairs = merged;
        }
        T* root = nullptr;
        while (pairs != nullptr) {
            T* following = pairs->next_;
            pairs->next_ = nullptr;
            root = merge(root, pairs);
            pairs = following;
        }
        return root;
    }

    T* root_ = nullptr;
};

}  // namespace sluice
