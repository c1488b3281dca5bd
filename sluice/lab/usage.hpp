// What processes have used of the machine so far: CPU time, context switches, system calls.
#pragma once

#include <sys/types.h>

#include <expected>
#include <optional>
#include <string>

#include "sluice/base/fd.hpp"

namespace sluice::lab {

/// Since a process began, or between two moments. What could not be had is empty.
struct usage {
    double cpu = 0;                  ///< seconds, user and system
    double waited = 0;               ///< seconds its first thread stood ready and had no core
    std::optional<double> switches;  ///< context switches
    std::optional<double> calls;     ///< system calls
};
[[nodiscard]] usage operator-(const usage& later, const usage& earlier);

/// A process, with all its threads and children, and the counters that the kernel keeps of it.
struct watched {
    pid_t process = 0;  ///< 0: none
    int switches = -1;  ///< descriptors of perf_event_open(2), lent; -1: none
    int calls = -1;
};

/// Reads /proc and the counters. A process that is gone has used nothing.
[[nodiscard]] usage used_by(const watched& w);
/// The same of the calling process, without children.
[[nodiscard]] usage used_by_us();

/// A counter of context switches or of system calls of `process` and of all threads and children
/// that it makes from now on. Empty where that is not allowed (perf_event_paranoid), or not there.
[[nodiscard]] unique_fd count_switches(pid_t process) noexcept;
[[nodiscard]] unique_fd count_calls(pid_t process) noexcept;

}  // namespace sluice::lab
