// The file of --pid-file: the number of the process that serves.
#pragma once

#include <expected>
#include <string>

#include "sluice/os/fd.hpp"

namespace sluice::cli {

/// Makes `path` a file with the number of this process, in one step, and holds a lock on it
/// (flock(2)) for as long as the descriptor is open: by it a living process is told from one that
/// is gone, whose file is replaced. One that this process succeeds loses the file to it. Waits up
/// to a second for a process that is ending. The error is a sentence without its full stop: the
/// file of another living process, or no file can be written there.
[[nodiscard]] std::expected<unique_fd, std::string> write_pid_file(const std::string& path,
                                                                   bool is_successor);

}  // namespace sluice::cli
