// An object in memory shared with forked children.
#pragma once

#include <sys/mman.h>

#include <new>
#include <optional>
#include <type_traits>

#include "sluice/os/kernel.hpp"

namespace sluice {

/// A T in a shared anonymous mapping (mmap(2), MAP_SHARED): children forked later share it. T
/// consists of atomics; its destructor is never called.
template <class T>
    requires std::is_trivially_destructible_v<T>
class shared_object {
 public:
    /// Throws std::bad_alloc.
    shared_object() : object_{make()} {}
    shared_object(const shared_object&) = delete;
    shared_object& operator=(const shared_object&) = delete;
    ~shared_object() { os::sys().munmap(object_, sizeof(T)); }

    [[nodiscard]] T& operator*() const noexcept { return *object_; }
    [[nodiscard]] T* operator->() const noexcept { return object_; }

 private:
    static T* make() {
        void* memory = nullptr;
        if (os::sys().mmap(memory, nullptr, sizeof(T), PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0) < 0) {
            throw std::bad_alloc{};
        }
        // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): the mapping owns it
        return ::new (memory) T{};
    }

    T* object_;
};

/// The same where there is memory to share, else a T of each process: for counts that a process can
/// do without.
template <class T>
class shared_if_possible {
 public:
    shared_if_possible() noexcept {
        try {
            shared_.emplace();
        } catch (const std::bad_alloc&) {
            shared_.reset();
        }
    }

    [[nodiscard]] T& operator*() const noexcept { return shared_ ? **shared_ : own_; }
    [[nodiscard]] T* operator->() const noexcept { return &**this; }

 private:
    std::optional<shared_object<T>> shared_;
    mutable T own_{};
};

}  // namespace sluice
