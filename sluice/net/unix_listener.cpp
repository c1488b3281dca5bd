// Implements listen_unix() over bind(2), umask(2) and flock(2).
#include "sluice/net/unix_listener.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <new>
#include <string>
#include <utility>

#include "sluice/os/kernel.hpp"

namespace sluice::net {
namespace {

constexpr mode_t all_permissions = 0777;

/// Whether a socket lies there at which no process listens any more.
bool is_left_behind(const address& where) noexcept {
    os::kernel& sys = os::sys();
    struct stat found{};
    const auto* path = where.path().data();
    if (sys.fstatat(AT_FDCWD, path, found, AT_SYMLINK_NOFOLLOW) < 0) return false;
    if (!S_ISSOCK(found.st_mode)) return false;
    const unique_fd probe{sys.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    return probe && sys.connect(probe.get(), where.data(), where.size()) == -ECONNREFUSED;
}

/// Binds a file that has its mode from the beginning.
int bind_file(int fd, const address& where, mode_t mode) noexcept {
    os::kernel& sys = os::sys();
    const mode_t before = sys.umask(all_permissions & ~mode);
    const int failed = sys.bind(fd, where.data(), where.size());
    sys.umask(before);
    return failed;
}

}  // namespace

result<unique_fd> lock_directory_of(std::string_view path) noexcept try {
    os::kernel& sys = os::sys();
    const auto slash = path.rfind('/');
    const std::string directory{slash == std::string_view::npos ? "."
                                : slash == 0                    ? "/"
                                                                : path.substr(0, slash)};
    unique_fd opened{sys.openat(AT_FDCWD, directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!opened) return unique_fd{};
    const int failed = sys.flock(opened.get(), LOCK_EX | LOCK_NB);
    if (failed == -EWOULDBLOCK) return failure_of(EADDRINUSE);
    return opened;
} catch (const std::bad_alloc&) {
    return failure_of(ENOMEM);
}

result<unique_fd> listen_unix(const address& where, const unix_permissions& allowed,
                              int backlog) noexcept {
    os::kernel& sys = os::sys();
    unique_fd fd{sys.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!fd) return failure_of(-fd.get());
    const auto path = where.path();
    unique_fd directory;
    int failed = 0;
    if (path.empty()) {
        failed = sys.bind(fd.get(), where.data(), where.size());
    } else {
        // Held until it listens: before, it refuses connections, as one that was left behind.
        auto locked = lock_directory_of(path);
        if (!locked) return locked;
        directory = std::move(*locked);
        failed = bind_file(fd.get(), where, allowed.mode);
        if (failed == -EADDRINUSE && is_left_behind(where)) {
            failed = sys.unlinkat(AT_FDCWD, path.data(), 0);
            if (failed == 0) failed = bind_file(fd.get(), where, allowed.mode);
        }
        if (failed == 0 && allowed.group) {
            failed = sys.fchownat(AT_FDCWD, path.data(), static_cast<uid_t>(-1), *allowed.group);
            if (failed < 0) sys.unlinkat(AT_FDCWD, path.data(), 0);
        }
    }
    if (failed == 0) failed = sys.listen(fd.get(), backlog);
    if (failed < 0) return failure_of(-failed);
    return fd;
}

}  // namespace sluice::net
