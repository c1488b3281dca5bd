// Implements pipe_ends::create(): a pipe of a given capacity.
#include "sluice/base/pipe.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace sluice {

result<pipe_ends> pipe_ends::create(std::size_t wanted) noexcept {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) < 0) return failure_of(errno);
    pipe_ends made{.out = unique_fd{ends[0]}, .in = unique_fd{ends[1]}};
    // The kernel refuses a large pipe to a user with many of them; this one keeps its default size.
    static_cast<void>(::fcntl(made.in.get(), F_SETPIPE_SZ, static_cast<int>(wanted)));
    const int size = ::fcntl(made.in.get(), F_GETPIPE_SZ);
    if (size < 0) return failure_of(errno);
    made.capacity = static_cast<std::size_t>(size);
    return made;
}

}  // namespace sluice
