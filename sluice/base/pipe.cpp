// Makes pipes, as large as they may be.
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
    // Users who have many large pipes already are refused one more, and keep the usual size.
    static_cast<void>(::fcntl(made.in.get(), F_SETPIPE_SZ, static_cast<int>(wanted)));
    const int size = ::fcntl(made.in.get(), F_GETPIPE_SZ);
    if (size < 0) return failure_of(errno);
    made.capacity = static_cast<std::size_t>(size);
    return made;
}

}  // namespace sluice
