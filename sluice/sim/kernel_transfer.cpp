// Implements the calls of the simulated kernel that move bytes between descriptors.
#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "sluice/sim/simulated_kernel.hpp"
#include "sluice/sim/transfer_step.hpp"

namespace sluice::sim {
namespace {

// Moved in one step: what a pipe holds.
using step = std::array<std::byte, std::size_t{64} << 10>;

/// Bytes at `*at`, or at the position of `from`, are left where they are.
ssize_t peek(description& from, const off_t* at, mutable_bytes memory) noexcept {
    if (at != nullptr) return from.pread(memory, static_cast<std::uint64_t>(*at));
    return from.peek(memory);
}

}  // namespace

ssize_t move_once(description& from, off_t* from_at, description& to, off_t* to_at,
                  std::size_t count) noexcept {
    step memory;
    const std::size_t space = to_at != nullptr ? SIZE_MAX : to.space();
    if (space == 0) return -EAGAIN;
    const std::size_t most = std::min({count, space, memory.size()});
    const ssize_t got = peek(from, from_at, mutable_bytes{memory}.first(most));
    if (got <= 0) return got;
    const auto bytes = const_bytes{memory}.first(static_cast<std::size_t>(got));
    const ssize_t put =
        to_at != nullptr ? to.pwrite(bytes, static_cast<std::uint64_t>(*to_at)) : to.write(bytes);
    if (put <= 0) return put;
    if (from_at != nullptr) {
        *from_at += put;
    } else {
        from.consume(static_cast<std::size_t>(put));
    }
    if (to_at != nullptr) *to_at += put;
    return put;
}

ssize_t simulated_kernel::sendfile(int to, int from, off_t* at, std::size_t count) noexcept {
    return call("sendfile", {to, from, at == nullptr ? -1 : *at, static_cast<std::int64_t>(count)},
                [&] {
                    const auto target = find(to);
                    const auto source = find(from);
                    if (target == nullptr || source == nullptr) return ssize_t{-EBADF};
                    if (count > 1 && random_.chance(faults_.short_splice))
                        count = 1 + random_.below(count);
                    std::size_t done = 0;
                    while (done < count) {
                        const ssize_t n = until_done(*target, POLLOUT, "sendfile", to, [&] {
                            return move_once(*source, at, *target, nullptr, count - done);
                        });
                        if (n == -EPIPE) break_pipe();
                        if (n < 0 && done == 0) return n;
                        if (n <= 0) break;
                        done += static_cast<std::size_t>(n);
                    }
                    return static_cast<ssize_t>(done);
                });
}

// NOLINTNEXTLINE(readability-function-cognitive-complexity): the cases of the man page, in turn
ssize_t simulated_kernel::splice(int from, off_t* from_at, int to, off_t* to_at, std::size_t count,
                                 unsigned flags) noexcept {
    return call("splice", {from, to, static_cast<std::int64_t>(count), flags}, [&] {
        const auto source = find(from);
        const auto target = find(to);
        if (source == nullptr || target == nullptr) return ssize_t{-EBADF};
        const auto is_pipe = [](const auto& d) { return d->what() == description::kind::pipe; };
        if (!is_pipe(source) && !is_pipe(target)) return ssize_t{-EINVAL};
        if (count > 1 && random_.chance(faults_.short_splice)) count = 1 + random_.below(count);
        for (;;) {
            const ssize_t n = move_once(*source, from_at, *target, to_at, count);
            if (n != -EAGAIN || (flags & SPLICE_F_NONBLOCK) != 0) return n;
            // It waits for the side that is not ready.
            const bool full = to_at == nullptr && target->space() == 0;
            description& late = full ? *target : *source;
            if (!late.blocks() && !is_pipe(full ? target : source)) return n;
            const int failed =
                wait_for(late, full ? POLLOUT : POLLIN, never, "splice", full ? to : from);
            if (failed < 0 && failed != -ERESTART) return ssize_t{failed};
        }
    });
}

ssize_t simulated_kernel::copy_file_range(int from, off_t* from_at, int to, off_t* to_at,
                                          std::size_t count) noexcept {
    return call("copy_file_range", {from, to, static_cast<std::int64_t>(count)}, [&] {
        const auto source = find(from);
        const auto target = find(to);
        if (source == nullptr || target == nullptr) return ssize_t{-EBADF};
        if (from_at == nullptr || to_at == nullptr) return ssize_t{-EINVAL};
        if (count > 1 && random_.chance(faults_.short_splice)) count = 1 + random_.below(count);
        std::size_t done = 0;
        while (done < count) {
            const ssize_t n = move_once(*source, from_at, *target, to_at, count - done);
            if (n < 0 && done == 0) return n;
            if (n <= 0) break;
            done += static_cast<std::size_t>(n);
        }
        return static_cast<ssize_t>(done);
    });
}

}  // namespace sluice::sim
