// Implements the calls of the simulated kernel for open files of the disk.
#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>

#include "sluice/sim/file_description.hpp"
#include "sluice/sim/simulated_kernel.hpp"

namespace sluice::sim {
namespace {

using file_ref = std::shared_ptr<file_description>;

std::int64_t traced(std::uint64_t n) noexcept {
    return static_cast<std::int64_t>(n);
}

/// Calls `use` with the file of the disk that `d` is; `otherwise` for a description of another
/// kind.
template <class Use>
auto with_file(const std::shared_ptr<description>& d, int otherwise, Use use)
    -> decltype(use(std::declval<file_description&>())) {
    if (d == nullptr) return -EBADF;
    if (d->what() != description::kind::file) return otherwise;
    return use(static_cast<file_description&>(*d));
}

}  // namespace

void simulated_kernel::power_loss() {
    lost_disks_.push_back(std::exchange(disk_, disk_->crash()));
}

ssize_t simulated_kernel::pread(int fd, mutable_bytes memory, std::uint64_t at) noexcept {
    return call("pread", {fd, traced(memory.size()), traced(at)}, [&]() -> ssize_t {
        const auto d = find(fd);
        return d == nullptr ? -EBADF : d->pread(memory, at);
    });
}

ssize_t simulated_kernel::pwrite(int fd, const_bytes data, std::uint64_t at) noexcept {
    return call("pwrite", {fd, traced(data.size()), traced(at)}, [&]() -> ssize_t {
        const auto d = find(fd);
        return d == nullptr ? -EBADF : d->pwrite(data, at);
    });
}

off_t simulated_kernel::lseek(int fd, off_t at, int whence) noexcept {
    return call("lseek", {fd, at, whence}, [&]() -> off_t {
        return with_file(find(fd), -ESPIPE, [&](file_description& f) -> off_t {
            off_t base = 0;
            if (whence == SEEK_CUR) base = static_cast<off_t>(f.position());
            if (whence == SEEK_END) base = static_cast<off_t>(f.node()->data.size());
            if (whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END) return -EINVAL;
            if (base + at < 0) return -EINVAL;
            f.position() = static_cast<std::uint64_t>(base + at);
            return base + at;
        });
    });
}

int simulated_kernel::fstat(int fd, struct stat& into) noexcept {
    return call("fstat", {fd}, [&] {
        const auto d = find(fd);
        return d == nullptr ? -EBADF : d->stat(into);
    });
}

int simulated_kernel::fstatvfs(int fd, struct statvfs& into) noexcept {
    return call("fstatvfs", {fd}, [&] {
        return with_file(find(fd), -ENOSYS, [&](file_description& f) {
            return disk_->stat_file_system(*f.node(), into);
        });
    });
}

int simulated_kernel::ftruncate(int fd, std::uint64_t size) noexcept {
    return call("ftruncate", {fd, traced(size)}, [&] {
        const auto d = find(fd);
        return d == nullptr ? -EBADF : d->truncate(size);
    });
}

int simulated_kernel::fallocate(int fd, int mode, std::uint64_t at, std::uint64_t size) noexcept {
    return call("fallocate", {fd, mode, traced(at), traced(size)}, [&] {
        return with_file(find(fd), -ESPIPE, [&](file_description& f) {
            if (size > 0 && !f.writes()) return -EBADF;
            return disk_->allocate(*f.node(), mode, at, size);
        });
    });
}

/// A sync takes time, in which other fibers run; then all is durable that is written by then.
int simulated_kernel::sync_file(int fd, const char* name, bool data_only) noexcept {
    return call(name, {fd}, [&] {
        return with_file(find(fd), -EINVAL, [&](file_description& f) {
            const auto node = f.node();
            take_time(disk_->sync_time(), name);
            return disk_->sync(*node, f.seen(), data_only);
        });
    });
}

int simulated_kernel::fsync(int fd) noexcept {
    return sync_file(fd, "fsync", false);
}

int simulated_kernel::fdatasync(int fd) noexcept {
    return sync_file(fd, "fdatasync", true);
}

void simulated_kernel::sync() noexcept {
    static_cast<void>(call("sync", {}, [&] {
        take_time(disk_->sync_time(), "sync");
        for (const auto& [id, path] : disk_->mounts()) {
            inode_ref top;
            const bool found = disk_->find(disk_->root(), path, 0, top) == 0;
            if (found) static_cast<void>(disk_->sync_all(*top));
        }
        return 0;
    }));
}

int simulated_kernel::syncfs(int fd) noexcept {
    return call("syncfs", {fd}, [&] {
        return with_file(find(fd), -ENOSYS, [&](file_description& f) {
            // NOLINTNEXTLINE(performance-unnecessary-copy-initialization): the file may be closed
            const auto node = f.node();
            take_time(disk_->sync_time(), "syncfs");
            return disk_->sync_all(*node);
        });
    });
}

int simulated_kernel::sync_file_range(int fd, std::uint64_t at, std::uint64_t size,
                                      unsigned flags) noexcept {
    return call("sync_file_range", {fd, traced(at), traced(size), flags}, [&] {
        return with_file(find(fd), -ESPIPE, [&](file_description& f) {
            if ((flags & SYNC_FILE_RANGE_WRITE) != 0) disk_->write_back(*f.node());
            constexpr unsigned waits = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WAIT_AFTER;
            if ((flags & waits) == 0) return 0;
            const auto before = std::exchange(f.seen(), f.node()->failed_syncs);
            f.node()->told_syncs = f.seen();
            return f.seen() != before ? -EIO : 0;
        });
    });
}

int simulated_kernel::posix_fadvise(int fd, std::uint64_t at, std::uint64_t size,
                                    int advice) noexcept {
    return call("posix_fadvise", {fd, traced(at), traced(size), advice}, [&] {
        return with_file(find(fd), -ESPIPE, [&](file_description& f) {
            if (advice == POSIX_FADV_DONTNEED) disk::drop_cache(*f.node());
            return 0;
        });
    });
}

std::int64_t simulated_kernel::cached_bytes(int fd, std::uint64_t at, std::uint64_t size) noexcept {
    return call("cached_bytes", {fd, traced(at), traced(size)}, [&]() -> std::int64_t {
        return with_file(find(fd), -EBADF, [&](file_description& f) -> std::int64_t {
            std::uint64_t bytes = 0;
            f.node()->data.for_each_page([&](std::uint64_t page) {
                const auto begin = page * content::page_size;
                const bool within = begin + content::page_size > at && begin < at + size;
                if (within) bytes += content::page_size;
            });
            return static_cast<std::int64_t>(bytes);
        });
    });
}

int simulated_kernel::flock(int fd, int operation) noexcept {
    return call("flock", {fd, operation}, [&] {
        return with_file(find(fd), -EBADF, [&](file_description& f) {
            for (;;) {
                const int status = f.flock(operation);
                if (status != -EWOULDBLOCK || (operation & LOCK_NB) != 0) return status;
                scheduler_.wait_for_others("flock");
            }
        });
    });
}

int simulated_kernel::fchown(int fd, uid_t owner, gid_t group) noexcept {
    return call("fchown", {fd, traced(owner), traced(group)}, [&] {
        // All files here have the owner that fstat() names, and no process is privileged.
        const auto d = find(fd);
        if (d == nullptr) return -EBADF;
        struct stat now{};
        if (const int status = d->stat(now); status < 0) return status;
        return owner == now.st_uid && group == now.st_gid ? 0 : -EPERM;
    });
}

int simulated_kernel::futimens(int fd, const std::array<timespec, 2>& times) noexcept {
    return call("futimens", {fd}, [&] {
        return with_file(find(fd), -EBADF,
                         [&](file_description& f) { return disk_->set_times(*f.node(), times); });
    });
}

ssize_t simulated_kernel::fgetxattr(int fd, const char* name, void* value,
                                    std::size_t size) noexcept {
    return call(
        "fgetxattr", {fd, traced(size)},
        [&]() -> ssize_t {
            return with_file(find(fd), -EOPNOTSUPP, [&](file_description& f) -> ssize_t {
                return disk_->get_attribute(*f.node(), name,
                                            {static_cast<std::byte*>(value), size});
            });
        },
        name);
}

int simulated_kernel::fsetxattr(int fd, const char* name, const void* value,
                                std::size_t size) noexcept {
    return call(
        "fsetxattr", {fd, traced(size)},
        [&] {
            return with_file(find(fd), -EOPNOTSUPP, [&](file_description& f) {
                return disk_->set_attribute(*f.node(), name,
                                            {static_cast<const std::byte*>(value), size});
            });
        },
        name);
}

int simulated_kernel::fremovexattr(int fd, const char* name) noexcept {
    return call(
        "fremovexattr", {fd},
        [&] {
            return with_file(find(fd), -EOPNOTSUPP, [&](file_description& f) {
                return disk_->remove_attribute(*f.node(), name);
            });
        },
        name);
}

}  // namespace sluice::sim
