// Implements pipe_ends::create(): a pipe of a given capacity.
#include "sluice/os/pipe.hpp"

#include <fcntl.h>

#include <array>

namespace sluice {

result<pipe_ends> pipe_ends::create(std::size_t wanted) noexcept {
    std::array<int, 2> ends{};
    os::kernel& sys = os::sys();
    if (const int failed = sys.pipe2(ends, O_CLOEXEC); failed < 0) return failure_of(-failed);
    pipe_ends made{.out = unique_fd{ends[0]}, .in = unique_fd{ends[1]}};
    // The kernel refuses a large pipe to a user with many of them; this one keeps its default size.
    static_cast<void>(sys.fcntl(made.in.get(), F_SETPIPE_SZ, static_cast<long>(wanted)));
    const int size = sys.fcntl(made.in.get(), F_GETPIPE_SZ);
    if (size < 0) return failure_of(-size);
    made.capacity = static_cast<std::size_t>(size);
    return made;
}

}  // namespace sluice
