// Listening on Unix sockets: their files, modes and groups, and files that were left behind.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/net/address.hpp"
#include "sluice/os/fd.hpp"

namespace sluice::net {

/// Who may connect to the file of a Unix socket; nothing for an abstract name, to which every
/// process of the network namespace may.
struct unix_permissions {
    mode_t mode = 0660;
    std::optional<gid_t> group = {};  ///< of the file; none: the kernel chooses
};

/// A Unix socket that listens at `where`, which has a name, closed on exec. The file of a server
/// that is gone, a socket that refuses connections, is replaced. While the process has one thread,
/// as it sets umask(2). Errno of socket(2), bind(2), fchownat(2) or listen(2): EADDRINUSE also
/// where another process is about to listen in the same directory.
[[nodiscard]] result<unique_fd> listen_unix(const address& where, const unix_permissions& allowed,
                                            int backlog) noexcept;

/// The directory of a file, locked against others that make or remove sockets there (flock(2)).
/// No descriptor where it cannot be read; EADDRINUSE if another process has the lock.
[[nodiscard]] result<unique_fd> lock_directory_of(std::string_view path) noexcept;

}  // namespace sluice::net
