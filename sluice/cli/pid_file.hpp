// The file of --pid-file: the number of the process that serves.
#pragma once

#include <expected>
#include <string>

#include "sluice/os/fd.hpp"

namespace sluice::cli {

/// Makes `path` a file with the number of this process, in one step, and holds a lock on it
/// (flock(2)) for as long as the descriptor is open: by it a living process is told from one that
/// is gone, whose file is replaced. Waits up to a second for a process that is ending. The error is
/// a sentence without its full stop: the file of another living process, or no file can be written
/// there.
[[nodiscard]] std::expected<unique_fd, std::string> write_pid_file(const std::string& path);

/// A pid file that lies beside its place, where the file of another process may be.
struct prepared_pid_file {
    unique_fd lock;    ///< as of write_pid_file()
    std::string path;  ///< of the file, until it is renamed
};

/// The same for a process that takes the place of the one whose file lies at `path`: that file
/// stays until the new one is put there. The error is a sentence without its full stop.
[[nodiscard]] std::expected<prepared_pid_file, std::string> prepare_pid_file(
    const std::string& path);
/// Puts it there now. After an error it is removed.
[[nodiscard]] std::expected<unique_fd, std::string> place_pid_file(prepared_pid_file made,
                                                                   const std::string& path);

}  // namespace sluice::cli
