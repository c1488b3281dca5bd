// Holds the kernel of this process: Linux at first.
#include "sluice/os/kernel.hpp"

#include "sluice/os/linux_kernel.hpp"

namespace sluice::os {
namespace {

/// Is never destroyed: a thread that main() does not wait for, as one that is stuck in a write, may
/// call it to the very end of the process.
union immortal {
    constexpr immortal() noexcept : held{} {}
    immortal(const immortal&) = delete;
    immortal& operator=(const immortal&) = delete;
    // NOLINTNEXTLINE(modernize-use-equals-default): a default would be deleted
    ~immortal() {}

    linux_kernel held;
};

constinit immortal of_linux;

}  // namespace

constinit kernel* detail::current = &of_linux.held;

kernel_in_place::kernel_in_place(kernel& k) noexcept : before_{detail::current} {
    detail::current = &k;
}

kernel_in_place::~kernel_in_place() {
    detail::current = before_;
}

}  // namespace sluice::os
