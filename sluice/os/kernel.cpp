// Holds the kernel of this process: Linux at first.
#include "sluice/os/kernel.hpp"

#include "sluice/os/linux_kernel.hpp"

namespace sluice::os {
namespace {

linux_kernel of_linux;

}  // namespace

constinit kernel* detail::current = &of_linux;

kernel_in_place::kernel_in_place(kernel& k) noexcept : before_{detail::current} {
    detail::current = &k;
}

kernel_in_place::~kernel_in_place() {
    detail::current = before_;
}

}  // namespace sluice::os
