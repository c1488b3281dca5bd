// Allocator that maps large blocks by themselves (mmap(2)), instead of cutting them from the heap.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <limits>
#include <memory>
#include <new>

#include "sluice/os/kernel.hpp"

namespace sluice {

/// For what grows and ends at times of its own beside many small objects that stay: in the heap it
/// would leave holes, in which some of those come to lie and keep the rest from use. Blocks of a
/// page and more are mapped, and the kernel's again once they are freed. Any thread.
template <class T>
struct mapping_allocator {
    using value_type = T;

    mapping_allocator() noexcept = default;
    template <class Other>
    explicit mapping_allocator(const mapping_allocator<Other>& /*of*/) noexcept {}

    /// Throws std::bad_alloc.
    [[nodiscard]] T* allocate(std::size_t count) {
        if (!is_mapped(count)) return std::allocator<T>{}.allocate(count);
        void* made = nullptr;
        if (count > std::numeric_limits<std::size_t>::max() / sizeof(T) ||
            os::sys().mmap(made, nullptr, count * sizeof(T), PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) < 0) {
            throw std::bad_alloc{};
        }
        return static_cast<T*>(made);
    }
    void deallocate(T* block, std::size_t count) noexcept {
        if (!is_mapped(count)) return std::allocator<T>{}.deallocate(block, count);
        os::sys().munmap(block, count * sizeof(T));
    }
    friend bool operator==(const mapping_allocator& /*a*/,
                           const mapping_allocator& /*b*/) noexcept {
        return true;
    }

 private:
    static constexpr std::size_t least = 4096;  // bytes
    static bool is_mapped(std::size_t count) noexcept { return count >= least / sizeof(T); }
};

}  // namespace sluice
