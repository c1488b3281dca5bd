// Implements the contents, attributes and space of the simulated disk, with their faults.
#include <linux/falloc.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <limits>

#include "sluice/sim/disk.hpp"

namespace sluice::sim {
namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::uint64_t page_size = content::page_size;
constexpr std::uint64_t largest_file = (std::uint64_t{1} << 44) - page_size;  // of ext4

std::uint64_t pages_of(std::uint64_t bytes) noexcept {
    return (bytes + page_size - 1) / page_size;
}

timespec to_timespec(std::int64_t ns) noexcept {
    return {.tv_sec = ns / second, .tv_nsec = ns % second};
}

}  // namespace

ssize_t disk::read(inode& file, std::uint64_t at, mutable_bytes into) {
    if (file.is_folder()) return -EISDIR;
    if (at > largest_file) return 0;
    if (choices_.chance(faults_.failed_read)) return -EIO;
    if (into.size() > 1 && choices_.chance(faults_.short_read)) {
        into = into.first(1 + static_cast<std::size_t>(choices_.below(into.size() - 1)));
    }
    return static_cast<ssize_t>(file.data.read(at, into));
}

/// An error of a call that needs space although there is some, or 0.
int disk::space_fault() {
    if (choices_.chance(faults_.no_space)) return -ENOSPC;
    return choices_.chance(faults_.over_quota) ? -EDQUOT : 0;
}

/// Gives space to the pages of a range.
int disk::charge(inode& file, std::uint64_t begin, std::uint64_t end) {
    mounted& on = *file.mount;
    const auto wanted = file.allocated.missing(begin, end);
    if (wanted > on.free()) return -ENOSPC;
    if (wanted > on.quota - std::min(on.quota, on.used)) return -EDQUOT;
    on.used += file.allocated.add(begin, end);
    return 0;
}

ssize_t disk::write(inode& file, std::uint64_t& at, const_bytes data, bool append) {
    if (append) at = file.data.size();
    if (data.empty()) return 0;
    if (at >= largest_file) return -EFBIG;
    data = data.first(
        static_cast<std::size_t>(std::min<std::uint64_t>(data.size(), largest_file - at)));
    if (const int failed = space_fault(); failed < 0) return failed;
    const bool fails = choices_.chance(faults_.failed_write);
    if (data.size() > 1 && (fails || choices_.chance(faults_.short_write))) {
        data = data.first(1 + static_cast<std::size_t>(choices_.below(data.size() - 1)));
    }
    // As much as there is space for; an error only if that is nothing.
    std::size_t done = 0;
    int failed = 0;
    while (done < data.size()) {
        const auto page = (at + done) / page_size;
        const auto step = static_cast<std::size_t>(
            std::min<std::uint64_t>(data.size() - done, (page + 1) * page_size - (at + done)));
        failed = charge(file, page, page + 1);
        if (failed < 0) break;
        done += step;
    }
    if (done > 0) {
        file.data.write(at, data.first(done));
        touch(file);
    }
    if (fails) return -EIO;
    if (done == 0) return failed;
    at += done;
    return static_cast<ssize_t>(done);
}

int disk::resize(inode& file, std::uint64_t size) {
    if (!file.is_file()) return -EINVAL;
    if (size > largest_file) return -EFBIG;
    file.data.resize(size);
    file.mount->used -= std::min(file.mount->used, file.allocated.cut(pages_of(size)));
    touch(file);
    return 0;
}

int disk::allocate(inode& file, int mode, std::uint64_t at, std::uint64_t size) {
    if (size == 0) return -EINVAL;
    if ((mode & ~FALLOC_FL_KEEP_SIZE) != 0) return -EOPNOTSUPP;
    if (!file.is_file()) return file.is_folder() ? -EISDIR : -ENODEV;
    if (at > largest_file || size > largest_file - at) return -EFBIG;
    if (const int failed = space_fault(); failed < 0) return failed;
    if (const int failed = charge(file, at / page_size, pages_of(at + size)); failed < 0) {
        return failed;
    }
    if ((mode & FALLOC_FL_KEEP_SIZE) == 0 && at + size > file.data.size()) {
        file.data.resize(at + size);
        touch(file);
    }
    return 0;
}

void disk::stat(const inode& node, struct stat& into) {
    constexpr std::uint64_t unit = 512;
    into = {};
    into.st_dev = node.mount->id;
    into.st_ino = node.number;
    into.st_mode = node.now.mode;
    into.st_nlink = node.names;
    into.st_blksize = page_size;
    into.st_blocks = static_cast<blkcnt_t>(node.allocated.count() * (page_size / unit));
    into.st_atim = to_timespec(node.now.accessed);
    into.st_mtim = to_timespec(node.now.modified);
    into.st_ctim = to_timespec(node.now.changed);
    if (node.is_file()) into.st_size = static_cast<off_t>(node.data.size());
    if (node.is_link()) into.st_size = static_cast<off_t>(node.target.size());
    if (!node.is_folder()) return;
    into.st_size = page_size;
    if (node.names == 0) return;
    into.st_nlink = 2 + static_cast<nlink_t>(std::ranges::count_if(node.entries, [](const auto& e) {
                        return e.second.node->is_folder();
                    }));
}

int disk::stat_file_system(const inode& node, struct statvfs& into) {
    constexpr std::uint64_t files = 1'000'000;
    const mounted& on = *node.mount;
    std::uint64_t free = on.free();
    if (choices_.chance(faults_.false_free_space)) free = choices_.below(on.pages + 1);
    into = {};
    into.f_bsize = into.f_frsize = page_size;
    into.f_blocks = on.pages;
    into.f_bfree = into.f_bavail = free;
    into.f_files = into.f_ffree = into.f_favail = files;
    into.f_fsid = on.id;
    into.f_namemax = NAME_MAX;
    return 0;
}

int disk::set_times(inode& node, const std::array<timespec, 2>& times) {
    const auto set = [this](std::int64_t& to, const timespec& wanted) {
        if (wanted.tv_nsec == UTIME_OMIT) return true;
        if (wanted.tv_nsec != UTIME_NOW && (wanted.tv_nsec < 0 || wanted.tv_nsec >= second)) {
            return false;
        }
        to = wanted.tv_nsec == UTIME_NOW ? now() : wanted.tv_sec * second + wanted.tv_nsec;
        return true;
    };
    inode_attributes changed = node.now;
    if (!set(changed.accessed, times[0]) || !set(changed.modified, times[1])) return -EINVAL;
    if (times[0].tv_nsec == UTIME_OMIT && times[1].tv_nsec == UTIME_OMIT) return 0;
    changed.changed = now();
    node.now = std::move(changed);
    return 0;
}

ssize_t disk::get_attribute(const inode& node, std::string_view name, mutable_bytes into) const {
    if (!options_.extended_attributes || !name.starts_with("user.")) return -EOPNOTSUPP;
    const auto found = node.now.extended.find(name);
    if (found == node.now.extended.end()) return -ENODATA;
    const std::string& value = found->second;
    if (into.empty()) return static_cast<ssize_t>(value.size());
    if (into.size() < value.size()) return -ERANGE;
    std::memcpy(into.data(), value.data(), value.size());
    return static_cast<ssize_t>(value.size());
}

int disk::set_attribute(inode& node, std::string_view name, const_bytes value) {
    // ext4 keeps the attributes of an inode in one block.
    constexpr std::size_t space = 4000;
    constexpr std::size_t per_attribute = 20;
    if (!options_.extended_attributes || !name.starts_with("user.")) return -EOPNOTSUPP;
    if (name.size() > XATTR_NAME_MAX) return -ERANGE;
    if (value.size() > XATTR_SIZE_MAX) return -E2BIG;
    if (const int failed = space_fault(); failed < 0) return failed;
    std::size_t used = per_attribute + name.size() + value.size();
    for (const auto& [other, held] : node.now.extended) {
        if (other != name) used += per_attribute + other.size() + held.size();
    }
    if (used > space) return -ENOSPC;
    node.now.extended.insert_or_assign(
        std::string{name}, std::string{reinterpret_cast<const char*>(value.data()), value.size()});
    node.now.changed = now();
    return 0;
}

int disk::remove_attribute(inode& node, std::string_view name) {
    if (!options_.extended_attributes || !name.starts_with("user.")) return -EOPNOTSUPP;
    const auto found = node.now.extended.find(name);
    if (found == node.now.extended.end()) return -ENODATA;
    node.now.extended.erase(found);
    node.now.changed = now();
    return 0;
}

void disk::maybe_change(inode& file) {
    if (!file.is_file() || !choices_.chance(faults_.foreign_change)) return;
    const auto size = file.data.size();
    switch (choices_.below(3)) {
        case 0: static_cast<void>(resize(file, choices_.below(size + 1))); return;
        case 1: static_cast<void>(resize(file, size + choices_.below(2 * page_size))); return;
        default: break;
    }
    if (size == 0) return;
    constexpr std::size_t most = 64;
    std::array<std::byte, most> text{};
    text.fill(static_cast<std::byte>(choices_.bits()));
    const auto at = choices_.below(size);
    const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(most, size - at));
    if (charge(file, at / page_size, pages_of(at + length)) < 0) return;
    file.data.write(at, const_bytes{text}.first(length));
    touch(file);
}

}  // namespace sluice::sim
