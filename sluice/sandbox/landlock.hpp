// Landlock (landlock(7)): the files, ports and processes that a thread can reach.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sluice/base/result.hpp"

namespace sluice::sandbox {

/// What may be done with a file, or with all files below a directory.
enum class path_access : std::uint8_t {
    read,         ///< read files and directories
    write,        ///< that, and make, change, rename and remove files and directories
    run,          ///< read, and execute
    add_to,       ///< read and write files that are there, and make new ones
    use_devices,  ///< read and write what is there, with ioctl(2), and make nothing
};

/// A path that may be reached.
struct path_rule {
    std::string path;
    path_access allowed = path_access::read;
};

/// All that may be reached.
struct landlock_rules {
    std::vector<path_rule> paths = {};
    bool network = false;  ///< TCP sockets may be bound and connected
    bool signals = false;  ///< processes outside may be signalled
};

/// The version of Landlock that the kernel has and uses; 0 if none.
[[nodiscard]] int landlock_version() noexcept;

/// Keeps the calling thread, and what it starts from now on, from all files but those of `rules`,
/// as far as the kernel's version of Landlock goes: from version 3 on from truncate(2), 4 on from
/// TCP, 5 on from ioctl(2) of devices, 6 on from signals to processes outside and from their
/// abstract sockets. Descriptors that are open stay as they are. Paths that cannot be opened are
/// left out. Needs PR_SET_NO_NEW_PRIVS or CAP_SYS_ADMIN. The errno of Landlock's calls: ENOSYS,
/// EOPNOTSUPP where it is not used.
[[nodiscard]] result<void> restrict_by_landlock(const landlock_rules& rules) noexcept;

}  // namespace sluice::sandbox
