// Implements calls on files below a directory: openat2(2), fstatat(2), file locks.
#include "sluice/files/server/beneath.hpp"

#include <fcntl.h>
#include <linux/openat2.h>

#include <cerrno>

namespace sluice::files {

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
