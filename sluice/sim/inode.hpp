// Inode of the simulated disk: a file, a directory or a symbolic link, and what of it is durable.
#pragma once

#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>

#include "sluice/sim/content.hpp"
#include "sluice/sim/file_locks.hpp"
#include "sluice/sim/page_set.hpp"

namespace sluice::sim {

class inode;
using inode_ref = std::shared_ptr<inode>;

/// One mounted file system.
struct mounted {
    static constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

    std::uint64_t id = 0;
    std::uint64_t pages = unlimited;  ///< that it has
    std::uint64_t quota = unlimited;  ///< pages that the simulated user may have
    std::uint64_t used = 0;

    [[nodiscard]] std::uint64_t free() const noexcept { return pages - std::min(pages, used); }
};

/// What fsync(2) makes durable besides the content.
struct inode_attributes {
    mode_t mode = 0;  ///< with the type
    // Nanoseconds since 1970.
    std::int64_t accessed = 0;
    std::int64_t modified = 0;
    std::int64_t changed = 0;
    std::map<std::string, std::string, std::less<>> extended;
};

/// Of the disk, which alone changes it. It has space while it has a name or is open.
class inode : public std::enable_shared_from_this<inode> {
 public:
    struct entry {
        inode_ref node;
        std::uint64_t cookie = 0;  ///< place in a listing (getdents64(2), d_off)
    };

    /// Of the first name after `.` and `..`, at least.
    static constexpr std::uint64_t first_cookie = 2;

    inode(std::shared_ptr<mounted> on, std::uint64_t id, mode_t mode)
        : mount{std::move(on)}, number{id} {
        now.mode = durable.mode = mode;
    }
    inode(const inode&) = delete;
    inode& operator=(const inode&) = delete;
    ~inode() = default;

    [[nodiscard]] bool is_folder() const noexcept { return S_ISDIR(now.mode); }
    [[nodiscard]] bool is_file() const noexcept { return S_ISREG(now.mode); }
    [[nodiscard]] bool is_link() const noexcept { return S_ISLNK(now.mode); }
    [[nodiscard]] bool is_mount_point() const noexcept {
        return parent == nullptr || parent->mount != mount;
    }

    std::shared_ptr<mounted> mount;
    std::uint64_t number;
    unsigned names = 0;     ///< entries that name it
    unsigned opened = 0;    ///< handles that refer to it
    bool linkable = false;  ///< opened with O_TMPFILE and without O_EXCL
    inode_attributes now;
    inode_attributes durable;

    /// @name Of a file
    /// @{
    content data;
    page_set allocated;              ///< pages that have space on the disk
    std::uint64_t failed_syncs = 0;  ///< of which each open file description is told once
    std::uint64_t told_syncs = 0;    ///< of these, those that some description was told of
    /// @}

    /// @name Of a directory
    /// @{
    std::map<std::string, entry, std::less<>> entries;
    std::map<std::uint64_t, std::string> in_order;  ///< cookie to name
    std::map<std::string, inode_ref, std::less<>> durable_entries;
    inode* parent = nullptr;  ///< null for the root, and once it was removed
    /// @}

    std::string target;  ///< of a symbolic link
    file_locks locks;
};

}  // namespace sluice::sim
