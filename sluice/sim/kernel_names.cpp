// Implements the calls of the simulated kernel for names: those of the disk, and a few below /dev
// and /proc.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <span>
#include <string>
#include <string_view>

#include "sluice/sim/file_description.hpp"
#include "sluice/sim/simulated_kernel.hpp"

namespace sluice::sim {
namespace {

constexpr std::string_view own_descriptors = "/proc/self/fd/";

/// The descriptor that a path below /proc/self/fd names; -1 for another path.
int descriptor_in(std::string_view path) noexcept {
    if (!path.starts_with(own_descriptors)) return -1;
    path.remove_prefix(own_descriptors.size());
    int fd = -1;
    const auto [end, failed] = std::from_chars(path.data(), path.data() + path.size(), fd);
    return failed == std::errc{} && end == path.data() + path.size() ? fd : -1;
}

/// The file systems as in /proc/self/mountinfo (proc(5)).
std::string mount_table(const disk& of) {
    std::string text;
    for (const auto& [id, path] : of.mounts()) {
        const auto number = std::to_string(id);
        text += number + " 0 0:" + number + " / " + path + " rw - sim sim rw\n";
    }
    return text;
}

}  // namespace

/// Another one after each power loss.
std::string simulated_kernel::boot_id() const {
    constexpr std::size_t digits = 12;
    const auto number = std::to_string(lost_disks_.size() + 1);
    return "00000000-0000-4000-8000-" + std::string(digits - number.size(), '0') + number + "\n";
}

/// The inode that a path begins at: 0, -EBADF or -ENOTDIR.
int simulated_kernel::start_of(int directory, std::string_view path, inode_ref& into) noexcept {
    into = disk_->root();
    if (path.starts_with('/') || directory == AT_FDCWD) return 0;
    const auto d = find(directory);
    if (d == nullptr) return -EBADF;
    if (d->what() != description::kind::file) return -ENOTDIR;
    into = static_cast<file_description&>(*d).node();
    return 0;
}

int simulated_kernel::open_path(int directory, std::string_view path, int flags, mode_t mode,
                                std::uint64_t resolve) noexcept {
    const bool close_on_exec = (flags & O_CLOEXEC) != 0;
    const int kept = flags & ~O_CLOEXEC;
    // Before a file is made: Linux has the number and the description first.
    if (const int failed = shortage(); failed < 0) return failed;
    if (path == "/dev/null") return install(std::make_shared<null_device>(kept), close_on_exec);
    if (path == "/proc/self/mountinfo") {
        return install(std::make_shared<text_description>(mount_table(*disk_), kept),
                       close_on_exec);
    }
    if (path == "/proc/sys/kernel/random/boot_id") {
        return install(std::make_shared<text_description>(boot_id(), kept), close_on_exec);
    }
    opened_inode file;
    if (const int again = descriptor_in(path); again >= 0) {
        const auto d = find(again);
        if (d == nullptr) return -ENOENT;
        if (d->what() != description::kind::file) return -ENXIO;
        const int failed =
            disk_->open_again(static_cast<file_description&>(*d).node(), flags, file);
        if (failed < 0) return failed;
    } else {
        inode_ref from;
        if (const int failed = start_of(directory, path, from); failed < 0) return failed;
        const int failed = disk_->open(from, path, flags, mode & ~umask_, resolve, file);
        if (failed < 0) return failed;
    }
    return install(
        std::make_shared<file_description>(*disk_, std::move(file), kept, ++last_opened_),
        close_on_exec);
}

int simulated_kernel::openat(int directory, const char* path, int flags, mode_t mode) noexcept {
    return call(
        "openat", {directory, flags, mode},
        [&] { return open_path(directory, path, flags, mode, 0); }, path);
}

int simulated_kernel::openat2(int directory, const char* path, int flags, mode_t mode,
                              std::uint64_t resolve) noexcept {
    return call(
        "openat2", {directory, flags, mode, static_cast<std::int64_t>(resolve)},
        [&] { return open_path(directory, path, flags, mode, resolve); }, path);
}

int simulated_kernel::fstatat(int directory, const char* path, struct stat& into,
                              int flags) noexcept {
    return call(
        "fstatat", {directory, flags},
        [&] {
            inode_ref from;
            inode_ref found;
            if (const int failed = start_of(directory, path, from); failed < 0) return failed;
            if (const int failed = disk_->find(from, path, flags, found); failed < 0) return failed;
            disk::stat(*found, into);
            return 0;
        },
        path);
}

int simulated_kernel::mount_of(int fd, std::uint64_t& number, dev_t& device) noexcept {
    return call("mount_of", {fd}, [&] {
        inode_ref found;
        if (const int failed = start_of(fd, "", found); failed < 0) return failed;
        number = device = found->mount->id;
        return 0;
    });
}

int simulated_kernel::faccessat(int directory, const char* path, int mode, int flags) noexcept {
    return call(
        "faccessat", {directory, mode, flags},
        [&] {
            inode_ref from;
            inode_ref found;
            if (std::string_view{path} == "/dev/null") return 0;
            if (const int failed = start_of(directory, path, from); failed < 0) return failed;
            return disk_->find(from, path, flags & AT_SYMLINK_NOFOLLOW, found);
        },
        path);
}

int simulated_kernel::mkdirat(int directory, const char* path, mode_t mode) noexcept {
    return call(
        "mkdirat", {directory, mode},
        [&] {
            inode_ref from;
            if (const int failed = start_of(directory, path, from); failed < 0) return failed;
            return disk_->make_folder(from, path, mode & ~umask_);
        },
        path);
}

int simulated_kernel::fchownat(int directory, const char* path, uid_t owner, gid_t group) noexcept {
    return call(
        "fchownat", {directory, owner, group},
        [&] {
            // As fchown().
            struct stat now{};
            const int status = fstatat(directory, path, now, AT_SYMLINK_NOFOLLOW);
            if (status < 0) return status;
            return owner == now.st_uid && group == now.st_gid ? 0 : -EPERM;
        },
        path);
}

int simulated_kernel::unlinkat(int directory, const char* path, int flags) noexcept {
    return call(
        "unlinkat", {directory, flags},
        [&] {
            inode_ref from;
            if (const int failed = start_of(directory, path, from); failed < 0) return failed;
            return disk_->remove(from, path, flags);
        },
        path);
}

int simulated_kernel::linkat(int from, const char* old_path, int to, const char* new_path,
                             int flags) noexcept {
    return call(
        "linkat", {from, to, flags},
        [&] {
            const std::string_view old{old_path};
            inode_ref start;
            inode_ref node;
            inode_ref target;
            int fd = (flags & AT_SYMLINK_FOLLOW) != 0 ? descriptor_in(old) : -1;
            if (old.empty() && (flags & AT_EMPTY_PATH) != 0) {
                if (!disk_->options().links_by_descriptor) return -ENOENT;
                fd = from;
            }
            if (fd >= 0) {
                if (const int failed = start_of(fd, "", node); failed < 0) {
                    return failed == -EBADF && !old.empty() ? -ENOENT : failed;
                }
            } else {
                const int follow = (flags & AT_SYMLINK_FOLLOW) != 0 ? 0 : AT_SYMLINK_NOFOLLOW;
                if (const int failed = start_of(from, old, start); failed < 0) return failed;
                const int failed = disk_->find(start, old, follow, node);
                if (failed < 0) return failed;
            }
            if (const int failed = start_of(to, new_path, target); failed < 0) return failed;
            return disk_->link(node, target, new_path);
        },
        new_path);
}

int simulated_kernel::renameat2(int from, const char* old_path, int to, const char* new_path,
                                unsigned flags) noexcept {
    return call(
        "renameat2", {from, to, flags},
        [&] {
            inode_ref start;
            inode_ref target;
            if (const int failed = start_of(from, old_path, start); failed < 0) return failed;
            if (const int failed = start_of(to, new_path, target); failed < 0) return failed;
            return disk_->rename(start, old_path, target, new_path, flags);
        },
        new_path);
}

ssize_t simulated_kernel::getdents64(int fd, mutable_bytes memory) noexcept {
    return call("getdents64", {fd, static_cast<std::int64_t>(memory.size())}, [&]() -> ssize_t {
        const auto d = find(fd);
        if (d == nullptr) return -EBADF;
        if (d->what() != description::kind::file) return -ENOTDIR;
        auto& folder = static_cast<file_description&>(*d);
        return disk::list(*folder.node(), folder.position(), memory);
    });
}

int simulated_kernel::realpath(const char* path, std::string& into) noexcept {
    return call("realpath", {}, [&] { return disk_->real_path(disk_->root(), path, into); }, path);
}

ssize_t simulated_kernel::readlinkat(int directory, const char* path,
                                     std::span<char> into) noexcept {
    return call(
        "readlinkat", {directory},
        [&]() -> ssize_t {
            inode_ref from;
            inode_ref found;
            if (const int failed = start_of(directory, path, from); failed < 0) return failed;
            const int failed = disk_->find(from, path, AT_SYMLINK_NOFOLLOW, found);
            if (failed < 0) return failed;
            if (!found->is_link()) return -EINVAL;
            return static_cast<ssize_t>(found->target.copy(into.data(), into.size()));
        },
        path);
}

mode_t simulated_kernel::umask(mode_t mask) noexcept {
    constexpr mode_t kept = 0777;
    return std::exchange(umask_, mask & kept);
}

}  // namespace sluice::sim
