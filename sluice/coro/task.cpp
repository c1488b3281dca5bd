// Implements expect_lack_of_memory(): only std::bad_alloc may leave a coroutine.
#include "sluice/coro/task.hpp"

#include <new>
#include <source_location>

#include "sluice/base/check.hpp"

namespace sluice::coro {

void expect_lack_of_memory() noexcept {
    try {
        throw;
    } catch (const std::bad_alloc&) {
        return;
    } catch (...) {
        // It has skipped owners of operations in flight, and no caller handles it.
        broken_contract("an exception left a coroutine", std::source_location::current());
    }
}

}  // namespace sluice::coro
