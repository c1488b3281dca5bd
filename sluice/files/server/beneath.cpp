// Implements calls on files below a directory: openat2(2), fstatat(2), file locks.
#include "sluice/files/server/beneath.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace sluice::files {

result<unique_fd> open_beneath(int directory, const char* path, std::uint64_t flags) noexcept {
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    // EAGAIN: a directory of the path was renamed, and the kernel cannot tell whether the path
    // stays below.
    constexpr int tries = 100;
    for (int i = 0; i < tries; ++i) {
        const auto fd = ::syscall(SYS_openat2, directory, path, &how, sizeof how);
        if (fd >= 0) return unique_fd{static_cast<int>(fd)};
        if (errno != EAGAIN && errno != EINTR) break;
    }
    return failure_of(errno);
}

result<unique_fd> open_folder(int directory, const char* path) noexcept {
    return open_beneath(directory, path, O_RDONLY | O_DIRECTORY);
}

result<struct stat> look_at(int folder, const char* name) noexcept {
    struct stat found{};
    if (::fstatat(folder, name, &found, AT_SYMLINK_NOFOLLOW) < 0) return failure_of(errno);
    return found;
}

result<void> sync_file(int file) noexcept {
    if (::fsync(file) < 0) return failure_of(errno);
    return {};
}

result<void> lock_file(int file) noexcept {
    struct flock whole{};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    if (::fcntl(file, F_OFD_SETLK, &whole) == 0) return {};
    return failure_of(errno == EAGAIN || errno == EACCES ? EBUSY : errno);
}

result<directory_reader> read_directory(unique_fd directory) {
    directory_reader reader{::fdopendir(directory.get())};
    if (!reader) return failure_of(errno);
    static_cast<void>(directory.release());
    return reader;
}

result<void> may_be_replaced(const struct stat& there) noexcept {
    if (S_ISDIR(there.st_mode)) return failure_of(EISDIR);
    if (!S_ISREG(there.st_mode)) return failure_of(EINVAL);
    return {};
}

}  // namespace sluice::files
