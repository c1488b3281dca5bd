// Implements the rules of Landlock for the version that runs.
#include "sluice/sandbox/landlock.hpp"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>

#include <cerrno>

#include "sluice/os/fd.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::sandbox {
namespace {

// What linux/landlock.h of Linux 6.1 does not know, by the version that brought it.
constexpr std::uint64_t refer = std::uint64_t{1} << 13;          // 2
constexpr std::uint64_t truncate_file = std::uint64_t{1} << 14;  // 3
constexpr std::uint64_t ioctl_device = std::uint64_t{1} << 15;   // 5
constexpr std::uint64_t bind_tcp = 1;                            // 4
constexpr std::uint64_t connect_tcp = 2;                         // 4
constexpr std::uint64_t scope_abstract_sockets = 1;              // 6
constexpr std::uint64_t scope_signals = 2;                       // 6

/// landlock_ruleset_attr as of version 6; an earlier kernel takes as much of it as it knows.
struct ruleset {
    std::uint64_t files = 0;
    std::uint64_t network = 0;
    std::uint64_t scoped = 0;
};

constexpr std::uint64_t of_version_1 = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
constexpr std::uint64_t read_any = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t write_any = read_any | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                                    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                                    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                                    LANDLOCK_ACCESS_FS_MAKE_SYM | refer | truncate_file;
// What a rule of a file, rather than a directory, may name.
constexpr std::uint64_t of_files = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                   LANDLOCK_ACCESS_FS_READ_FILE | truncate_file | ioctl_device;

std::uint64_t rights_of(path_access allowed) noexcept {
    switch (allowed) {
        case path_access::read: break;
        case path_access::write: return write_any;
        case path_access::add_to:
            return read_any | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG;
        case path_access::run: return read_any | LANDLOCK_ACCESS_FS_EXECUTE;
        case path_access::use_devices:
            return read_any | LANDLOCK_ACCESS_FS_WRITE_FILE | truncate_file | ioctl_device;
    }
    return read_any;
}

ruleset all_of(int version, const landlock_rules& rules) noexcept {
    ruleset all{.files = of_version_1};
    if (version >= 2) all.files |= refer;
    if (version >= 3) all.files |= truncate_file;
    if (version >= 4 && !rules.network) all.network = bind_tcp | connect_tcp;
    if (version >= 5) all.files |= ioctl_device;
    if (version >= 6) all.scoped = scope_abstract_sockets | (rules.signals ? 0 : scope_signals);
    return all;
}

std::size_t size_of_attributes(int version) noexcept {
    if (version >= 6) return sizeof(ruleset);
    return version >= 4 ? 2 * sizeof(std::uint64_t) : sizeof(std::uint64_t);
}

}  // namespace

int landlock_version() noexcept {
    const int version =
        os::sys().landlock_create_ruleset(nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return version < 0 ? 0 : version;
}

result<void> restrict_by_landlock(const landlock_rules& rules) noexcept {
    os::kernel& sys = os::sys();
    const int version = sys.landlock_create_ruleset(nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 0) return failure_of(-version);
    const ruleset all = all_of(version, rules);
    const unique_fd made{sys.landlock_create_ruleset(&all, size_of_attributes(version), 0)};
    if (!made) return failure_of(-made.get());
    for (const auto& each : rules.paths) {
        const unique_fd at{sys.openat(AT_FDCWD, each.path.c_str(), O_PATH | O_CLOEXEC)};
        struct stat found{};
        if (!at || sys.fstat(at.get(), found) < 0) continue;
        std::uint64_t rights = rights_of(each.allowed) & all.files;
        if (!S_ISDIR(found.st_mode)) rights &= of_files;
        const int failed = sys.landlock_add_path(made.get(), rights, at.get());
        if (failed < 0) return failure_of(-failed);
    }
    if (const int failed = sys.landlock_restrict_self(made.get()); failed < 0) {
        return failure_of(-failed);
    }
    return {};
}

}  // namespace sluice::sandbox
