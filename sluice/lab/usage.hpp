// Measures the CPU time, context switches and system calls of a process.
#pragma once

#include <sys/types.h>

#include <expected>
#include <optional>
#include <string>

#include "sluice/os/fd.hpp"

namespace sluice::lab {

/// Usage since a process began, or between two readings; empty: not available.
struct usage {
    double cpu = 0;                  ///< seconds, user and system
    double waited = 0;               ///< seconds its first thread waited in the run queue
    std::optional<double> switches;  ///< context switches
    std::optional<double> calls;     ///< system calls
};
[[nodiscard]] usage operator-(const usage& later, const usage& earlier);

/// A process with all its threads and children, and its perf counters.
struct watched {
    pid_t process = 0;  ///< 0: none
    int switches = -1;  ///< perf_event_open(2) descriptor, not owned; -1: none
    int calls = -1;
};

/// Reads /proc and the counters. The usage of a process that has ended is 0.
[[nodiscard]] usage used_by(const watched& w);
/// The same for the calling process, without children.
[[nodiscard]] usage used_by_us();

/// A counter of context switches or system calls of `process` and of the threads and children that
/// it creates from now on. Empty where the kernel does not allow it (perf_event_paranoid) or lacks
/// it.
[[nodiscard]] unique_fd count_switches(pid_t process) noexcept;
[[nodiscard]] unique_fd count_calls(pid_t process) noexcept;

}  // namespace sluice::lab
