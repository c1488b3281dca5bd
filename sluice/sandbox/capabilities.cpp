// Implements dropping capabilities over capset(2) and prctl(2).
#include "sluice/sandbox/capabilities.hpp"

#include "sluice/os/kernel.hpp"

namespace sluice::sandbox {

result<void> drop_capabilities(std::uint64_t keep) noexcept {
    os::kernel& sys = os::sys();
    std::uint64_t have = 0;
    if (const int failed = sys.capget(have); failed < 0) return failure_of(-failed);
    // The kernel answers EINVAL behind its last one; EPERM without CAP_SETPCAP, which is needed for
    // it: what cannot be used any more cannot come back in a program either (PR_SET_NO_NEW_PRIVS).
    for (int each = 0; each < 64; ++each) {
        if ((keep & bit_of(each)) == 0 && sys.drop_bounding_capability(each) < 0) break;
    }
    // Who has none gives up none: a service manager that took them refuses the call, too.
    const int failed = sys.capset(have & keep);
    if (failed < 0 && (have & ~keep) != 0) return failure_of(-failed);
    return {};
}

bool has_capability(int capability) noexcept {
    std::uint64_t have = 0;
    return os::sys().capget(have) == 0 && (have & bit_of(capability)) != 0;
}

}  // namespace sluice::sandbox
