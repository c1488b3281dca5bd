// A kernel that takes new io_uring entries only when it is also asked for completions.
#pragma once

namespace sluice::test {

/// From now on and for good, io_uring_enter(2) fails with EBUSY on this thread, and those it
/// starts, unless it asks for completions too (seccomp(2)). So a full submission queue stays full
/// until the end of the turn, which no healthy kernel does for long. False if that is not allowed.
[[nodiscard]] bool refuse_plain_submits();

}  // namespace sluice::test
