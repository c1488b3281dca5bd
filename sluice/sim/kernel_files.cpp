// Implements the calls of the simulated kernel for files and names.
#include <cerrno>
#include <cstring>

#include "sluice/sim/simulated_kernel.hpp"

namespace sluice::sim {

ssize_t simulated_kernel::pread(int /*fd*/, mutable_bytes /*memory*/,
                                std::uint64_t /*at*/) noexcept {
    return -ENOSYS;
}

ssize_t simulated_kernel::pwrite(int /*fd*/, const_bytes /*data*/, std::uint64_t /*at*/) noexcept {
    return -ENOSYS;
}

off_t simulated_kernel::lseek(int /*fd*/, off_t /*at*/, int /*whence*/) noexcept {
    return -ENOSYS;
}

int simulated_kernel::fstat(int fd, struct stat& into) noexcept {
    return call("fstat", {fd}, [&] {
        const auto d = find(fd);
        return d == nullptr ? -EBADF : d->stat(into);
    });
}

int simulated_kernel::fstatvfs(int /*fd*/, struct statvfs& /*into*/) noexcept {
    return -ENOSYS;
}

int simulated_kernel::ftruncate(int fd, std::uint64_t size) noexcept {
    return call("ftruncate", {fd, static_cast<std::int64_t>(size)}, [&] {
        const auto d = find(fd);
        return d == nullptr ? -EBADF : d->truncate(size);
    });
}

int simulated_kernel::fallocate(int /*fd*/, int /*mode*/, std::uint64_t /*at*/,
                                std::uint64_t /*size*/) noexcept {
    return -ENOSYS;
}

int simulated_kernel::fsync(int /*fd*/) noexcept {
    return -ENOSYS;
}

int simulated_kernel::fdatasync(int /*fd*/) noexcept {
    return -ENOSYS;
}

int simulated_kernel::syncfs(int /*fd*/) noexcept {
    return -ENOSYS;
}

int simulated_kernel::sync_file_range(int /*fd*/, std::uint64_t /*at*/, std::uint64_t /*size*/,
                                      unsigned /*flags*/) noexcept {
    return -ENOSYS;
}

int simulated_kernel::posix_fadvise(int /*fd*/, std::uint64_t /*at*/, std::uint64_t /*size*/,
                                    int /*advice*/) noexcept {
    return -ENOSYS;
}

std::int64_t simulated_kernel::cached_bytes(int /*fd*/, std::uint64_t /*at*/,
                                            std::uint64_t /*size*/) noexcept {
    return -ENOSYS;
}

int simulated_kernel::flock(int /*fd*/, int /*operation*/) noexcept {
    return -ENOSYS;
}

int simulated_kernel::futimens(int /*fd*/, const std::array<timespec, 2>& /*times*/) noexcept {
    return -ENOSYS;
}

ssize_t simulated_kernel::fgetxattr(int /*fd*/, const char* /*name*/, void* /*value*/,
                                    std::size_t /*size*/) noexcept {
    return -ENOSYS;
}

int simulated_kernel::fsetxattr(int /*fd*/, const char* /*name*/, const void* /*value*/,
                                std::size_t /*size*/) noexcept {
    return -ENOSYS;
}

int simulated_kernel::fremovexattr(int /*fd*/, const char* /*name*/) noexcept {
    return -ENOSYS;
}

int simulated_kernel::openat(int directory, const char* path, int flags, mode_t /*mode*/) noexcept {
    return call(
        "openat", {directory, flags},
        [&] {
            if (std::strcmp(path, "/dev/null") != 0) return -ENOSYS;
            return make(std::make_shared<null_device>(flags & ~O_CLOEXEC),
                        (flags & O_CLOEXEC) != 0);
        },
        path);
}

int simulated_kernel::openat2(int /*directory*/, const char* /*path*/, int /*flags*/,
                              mode_t /*mode*/, std::uint64_t /*resolve*/) noexcept {
    return -ENOSYS;
}

int simulated_kernel::fstatat(int /*directory*/, const char* /*path*/, struct stat& /*into*/,
                              int /*flags*/) noexcept {
    return -ENOSYS;
}

void simulated_kernel::sync() noexcept {}

int simulated_kernel::mount_of(int /*fd*/, std::uint64_t& /*number*/, dev_t& /*device*/) noexcept {
    return -ENOSYS;
}

int simulated_kernel::faccessat(int /*directory*/, const char* /*path*/, int /*mode*/,
                                int /*flags*/) noexcept {
    return -ENOSYS;
}

int simulated_kernel::mkdirat(int /*directory*/, const char* /*path*/, mode_t /*mode*/) noexcept {
    return -ENOSYS;
}

int simulated_kernel::unlinkat(int /*directory*/, const char* /*path*/, int /*flags*/) noexcept {
    return -ENOSYS;
}

int simulated_kernel::linkat(int /*from*/, const char* /*old_path*/, int /*to*/,
                             const char* /*new_path*/, int /*flags*/) noexcept {
    return -ENOSYS;
}

int simulated_kernel::renameat2(int /*from*/, const char* /*old_path*/, int /*to*/,
                                const char* /*new_path*/, unsigned /*flags*/) noexcept {
    return -ENOSYS;
}

ssize_t simulated_kernel::getdents64(int /*fd*/, mutable_bytes /*memory*/) noexcept {
    return -ENOSYS;
}

int simulated_kernel::realpath(const char* /*path*/, std::string& /*into*/) noexcept {
    return -ENOSYS;
}

ssize_t simulated_kernel::readlinkat(int /*directory*/, const char* /*path*/,
                                     std::span<char> /*into*/) noexcept {
    return -ENOSYS;
}

mode_t simulated_kernel::umask(mode_t /*mask*/) noexcept {
    return 022;
}

}  // namespace sluice::sim
