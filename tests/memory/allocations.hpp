// Counts what this thread allocates, and makes one allocation fail.
#pragma once

#include <cstddef>

namespace sluice::test {

/// Calls of the allocator by this thread since it began: operator new, and malloc(3) and its like
/// except under sanitizers, which have their own.
[[nodiscard]] std::size_t allocations() noexcept;

/// While it lives, the `nth` operator new of this thread fails; the first is 1.
class failing_allocation {
 public:
    explicit failing_allocation(std::size_t nth) noexcept;
    failing_allocation(const failing_allocation&) = delete;
    failing_allocation& operator=(const failing_allocation&) = delete;
    ~failing_allocation();

    /// False if there were fewer.
    [[nodiscard]] bool has_failed() const noexcept;
};

}  // namespace sluice::test
