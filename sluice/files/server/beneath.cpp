// Implements calls on files below a directory: openat2(2), fstatat(2), file locks.
#include "sluice/files/server/beneath.hpp"

#include <fcntl.h>
#include <linux/openat2.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <string_view>

namespace sluice::files {
namespace {

/// A component of a path, ended by a zero as system calls take it.
using component = std::array<char, NAME_MAX + 1>;

/// openat(2) of a name in `folder`, without following a symbolic link: ELOOP for one, also where a
/// directory is wanted.
int open_step(int folder, const component& name, int flags) noexcept {
    auto& kernel = os::sys();
    const int fd = kernel.openat(folder, name.data(), flags | O_NOFOLLOW | O_CLOEXEC);
    if (fd != -ENOTDIR) return fd;
    struct stat found{};
    const int failed = kernel.fstatat(folder, name.data(), found, AT_SYMLINK_NOFOLLOW);
    return failed == 0 && S_ISLNK(found.st_mode) ? -ELOOP : fd;
}

/// What open_beneath() does where openat2(2) is refused, by a call per component. No path with `..`
/// is below (EXDEV).
int open_by_steps(int directory, std::string_view path, int flags) noexcept {
    if (path.empty()) return -ENOENT;
    if (path.starts_with('/')) return -EXDEV;
    unique_fd folder;
    for (;;) {
        const auto end = std::min(path.find('/'), path.size());
        const auto text = path.substr(0, end);
        if (text == "..") return -EXDEV;
        component name{'.'};
        if (text.size() >= name.size()) return -ENAMETOOLONG;
        std::ranges::copy(text, name.begin());
        const int here = folder ? folder.get() : directory;
        if (end == path.size()) return open_step(here, name, flags);
        const int next = open_step(here, name, O_PATH | O_DIRECTORY);
        if (next < 0) return next;
        folder = unique_fd{next};
        path.remove_prefix(end + 1);
    }
}

}  // namespace

result<unique_fd> open_beneath(int directory, const char* path, int flags) noexcept {
    constexpr auto resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    // EAGAIN: a directory of the path was renamed, and the kernel cannot tell whether the path
    // stays below.
    constexpr int tries = 100;
    int fd = -1;
    for (int i = 0; i < tries; ++i) {
        fd = os::sys().openat2(directory, path, flags | O_CLOEXEC, 0, resolve);
        if (fd >= 0) return unique_fd{fd};
        if (fd != -EAGAIN && fd != -EINTR) break;
    }
    if (fd == -ENOSYS) {
        fd = open_by_steps(directory, path, flags);
        if (fd >= 0) return unique_fd{fd};
    }
    return failure_of(-fd);
}

result<unique_fd> open_folder(int directory, const char* path) noexcept {
    return open_beneath(directory, path, O_RDONLY | O_DIRECTORY);
}

result<struct stat> look_at(int folder, const char* name) noexcept {
    struct stat found{};
    const int failed = os::sys().fstatat(folder, name, found, AT_SYMLINK_NOFOLLOW);
    if (failed < 0) return failure_of(-failed);
    return found;
}

result<void> sync_file(int file) noexcept {
    if (const int failed = os::sys().fsync(file); failed < 0) return failure_of(-failed);
    return {};
}

result<void> lock_file(int file) noexcept {
    struct flock whole{};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    const int failed = os::sys().fcntl_lock(file, F_OFD_SETLK, whole);
    if (failed == 0) return {};
    return failure_of(failed == -EAGAIN || failed == -EACCES ? EBUSY : -failed);
}

result<void> may_be_replaced(const struct stat& there) noexcept {
    if (S_ISDIR(there.st_mode)) return failure_of(EISDIR);
    if (!S_ISREG(there.st_mode)) return failure_of(EINVAL);
    return {};
}

}  // namespace sluice::files
