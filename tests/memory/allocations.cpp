// The allocator of the binary that this is linked into: it counts, and fails on request.
#include "tests/memory/allocations.hpp"

#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLUICE_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLUICE_TEST_SANITIZED 1
#endif
#endif

namespace {

// Of the thread, so that what helpers and the test runner do elsewhere does not count.
thread_local std::size_t count = 0;
thread_local std::size_t until_failure = 0;  // 0: never

}  // namespace

#if !defined(SLUICE_TEST_SANITIZED)
// glibc's own allocator under the names that it exports beside malloc(3).
extern "C" {
// NOLINTBEGIN(readability-identifier-naming): the library's names
void* __libc_malloc(std::size_t size) noexcept;
void* __libc_calloc(std::size_t number, std::size_t size) noexcept;
void* __libc_realloc(void* memory, std::size_t size) noexcept;
// NOLINTEND(readability-identifier-naming)

void* malloc(std::size_t size) noexcept {
    ++count;
    return __libc_malloc(size);
}
void* calloc(std::size_t number, std::size_t size) noexcept {
    ++count;
    return __libc_calloc(number, size);
}
void* realloc(void* memory, std::size_t size) noexcept {
    ++count;
    return __libc_realloc(memory, size);
}
}
#endif

namespace {

void* allocate(std::size_t size) noexcept {
    if (until_failure > 0 && --until_failure == 0) return nullptr;
#if defined(SLUICE_TEST_SANITIZED)
    ++count;
#endif
    return std::malloc(size == 0 ? 1 : size);
}

void* allocate_or_throw(std::size_t size) {
    void* const memory = allocate(size);
    if (memory == nullptr) throw std::bad_alloc{};
    return memory;
}

}  // namespace

// Not inlined, since a compiler that sees through one of a pair alone warns of a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
    return allocate_or_throw(size);
}
[[gnu::noinline]] void* operator new[](std::size_t size) {
    return allocate_or_throw(size);
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
    return allocate(size);
}
[[gnu::noinline]] void* operator new[](std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
    return allocate(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t /*size*/) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory, std::size_t /*size*/) noexcept {
    std::free(memory);
}

namespace sluice::test {

std::size_t allocations() noexcept {
    return count;
}

failing_allocation::failing_allocation(std::size_t nth) noexcept {
    until_failure = nth;
}
failing_allocation::~failing_allocation() {
    until_failure = 0;
}
bool failing_allocation::has_failed() const noexcept {
    return until_failure == 0;
}

}  // namespace sluice::test
