// An object in memory shared with forked children.
#pragma once

#include <sys/mman.h>

#include <new>
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

}  // namespace sluice
