// The process of the supervisor, and its messages.
#pragma once

#include <csignal>

#include "sluice/os/fd.hpp"

namespace sluice::cli {

// The first byte of a message to it.
inline constexpr char keep_file = 'f';      ///< device, inode, name, place; with the directory
inline constexpr char start_program = 's';  ///< the names of the sockets, a colon behind each
inline constexpr char await_confirmation = 'w';
inline constexpr char confirmed = 'c';  ///< answered if files are to be placed
inline constexpr char sealed = 'e';
// The first byte of an answer.
inline constexpr char successor_serves = 'y';  ///< and the number of its process
inline constexpr char successor_failed = 'n';  ///< and why
inline constexpr char placed = 'd';            ///< and an errno, or 0

/// Serves the server at the other end of `socket` until that is gone. All signals are blocked; a
/// successor starts with `signals`, and with the environment of this process.
[[noreturn]] void run_supervisor(unique_fd socket, const sigset_t& signals) noexcept;

}  // namespace sluice::cli
