// A doubly linked list whose links live in its elements: no allocation, removal from anywhere.
#pragma once

#include <cstddef>

#include "sluice/base/check.hpp"

namespace sluice {

template <class T, class Tag>
class intrusive_list;

/// The links of one element; `Tag` names the list, so that an element can be in several. Not
/// copyable and not movable: its neighbours point to it.
template <class Tag>
class list_hook {
 public:
    list_hook() noexcept = default;
    list_hook(const list_hook&) = delete;
    list_hook& operator=(const list_hook&) = delete;
    ~list_hook() = default;

    [[nodiscard]] bool linked() const noexcept { return next_ != nullptr; }
    /// Removes the element from its list; no effect if it is in none.
    void unlink() noexcept {
        if (next_ == nullptr) return;
        prev_->next_ = next_;
        next_->prev_ = prev_;
        prev_ = next_ = nullptr;
    }

 private:
    template <class T, class U>
    friend class intrusive_list;

    list_hook* prev_ = nullptr;
    list_hook* next_ = nullptr;
};

/// A list of elements that derive from list_hook<Tag>. Does not own them; each unlinks before it
/// dies.
template <class T, class Tag>
class intrusive_list {
 public:
    intrusive_list() noexcept { head_.prev_ = head_.next_ = &head_; }
    intrusive_list(const intrusive_list&) = delete;
    intrusive_list& operator=(const intrusive_list&) = delete;
    ~intrusive_list() { check(empty(), "a list is destroyed with elements in it"); }

    [[nodiscard]] bool empty() const noexcept { return head_.next_ == &head_; }

    /// The element must be in no list with this tag.
    void push_back(T& element) noexcept { insert_before(head_, element); }

    [[nodiscard]] T& front() noexcept {
        check(!empty(), "the front of an empty list");
        return element_of(*head_.next_);
    }
    T& pop_front() noexcept {
        T& element = front();
        static_cast<list_hook<Tag>&>(element).unlink();
        return element;
    }
    /// Calls `f` with each element, in order; `f` may unlink the element that it gets.
    template <class F>
    void for_each(F f) noexcept {
        for (list_hook<Tag>* at = head_.next_; at != &head_;) {
            T& element = element_of(*at);
            at = at->next_;
            f(element);
        }
    }
    /// Moves every element of `other` to the end of this list, in order.
    void take_all(intrusive_list& other) noexcept {
        if (other.empty()) return;
        list_hook<Tag>* first = other.head_.next_;
        list_hook<Tag>* last = other.head_.prev_;
        other.head_.prev_ = other.head_.next_ = &other.head_;
        first->prev_ = head_.prev_;
        head_.prev_->next_ = first;
        last->next_ = &head_;
        head_.prev_ = last;
    }

 private:
    static T& element_of(list_hook<Tag>& hook) noexcept { return static_cast<T&>(hook); }

    static void insert_before(list_hook<Tag>& where, T& element) noexcept {
        auto& hook = static_cast<list_hook<Tag>&>(element);
        check(!hook.linked(), "an element is linked twice");
        hook.prev_ = where.prev_;
        hook.next_ = &where;
        where.prev_->next_ = &hook;
        where.prev_ = &hook;
    }

    list_hook<Tag> head_;
};

}  // namespace sluice
