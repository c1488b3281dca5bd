// Failure of a simulated world: what is printed, with the seed that repeats it.
#pragma once

#include <string_view>

namespace sluice::sim {

class simulated_kernel;

/// Prints `what`, then the seed, the virtual time, who waits for what and the last 200 lines of the
/// trace of the kernel in place, or all that are kept, to standard error, and aborts.
[[noreturn]] void fail(std::string_view what) noexcept;

/// Fails with `what` unless `holds`.
inline void require(bool holds, std::string_view what) noexcept {
    if (!holds) [[unlikely]]
        fail(what);
}

/// Makes `k` the kernel that is reported when the process aborts, for fail() or for a broken
/// contract of the program, until it dies. One at a time.
class reported {
 public:
    explicit reported(simulated_kernel& k) noexcept;
    reported(const reported&) = delete;
    reported& operator=(const reported&) = delete;
    ~reported();

 private:
    void (*before_)(int);
};

}  // namespace sluice::sim
