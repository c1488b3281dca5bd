// Implements enter_root_directory() over chroot(2).
#include "sluice/sandbox/root_directory.hpp"

#include <ctime>

#include "sluice/os/kernel.hpp"

namespace sluice::sandbox {

result<void> enter_root_directory(const std::string& path) noexcept {
    ::tzset();
    os::kernel& sys = os::sys();
    if (const int failed = sys.chdir(path.c_str()); failed < 0) return failure_of(-failed);
    if (const int failed = sys.chroot("."); failed < 0) return failure_of(-failed);
    if (const int failed = sys.chdir("/"); failed < 0) return failure_of(-failed);
    return {};
}

}  // namespace sluice::sandbox
