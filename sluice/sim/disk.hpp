// Simulated file system: names, contents and locks as Linux has them, and what a power loss leaves.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <array>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/base/bytes.hpp"
#include "sluice/sim/disk_faults.hpp"
#include "sluice/sim/inode.hpp"
#include "sluice/sim/random.hpp"

namespace sluice::sim {

/// What a simulated file system has.
struct disk_options {
    std::uint64_t size = std::uint64_t{1} << 30;  ///< bytes
    std::uint64_t quota = mounted::unlimited;     ///< bytes
    bool unnamed_files = true;                    ///< open(2), O_TMPFILE
    bool links_by_descriptor = true;              ///< linkat(2), AT_EMPTY_PATH
    bool renames_without_replacing = true;        ///< renameat2(2), RENAME_NOREPLACE
    bool hard_links = true;
    bool extended_attributes = true;
};

/// Keeps an inode open: it has its space although it may have no name. The disk outlives it.
class opened_inode {
 public:
    opened_inode() noexcept = default;
    opened_inode(class disk& on, inode_ref node) noexcept;
    opened_inode(opened_inode&& other) noexcept
        : on_{other.on_}, node_{std::exchange(other.node_, nullptr)} {}
    opened_inode& operator=(opened_inode&& other) noexcept {
        std::swap(on_, other.on_);
        std::swap(node_, other.node_);
        return *this;
    }
    opened_inode(const opened_inode&) = delete;
    opened_inode& operator=(const opened_inode&) = delete;
    ~opened_inode();

    [[nodiscard]] const inode_ref& node() const noexcept { return node_; }

 private:
    disk* on_ = nullptr;
    inode_ref node_;
};

/// A disk with one file system, or several (add_mount), of one user who may do all. It knows inodes
/// and paths, no descriptors: a path begins at the inode `from`, at the root if it is absolute.
/// Results are n or -errno, as of the system call that each function names.
///
/// What is durable is known for each block of 512 bytes and for each entry of a directory. fsync(2)
/// of a file makes its content durable and none of its names; of a directory, its entries. One
/// thread.
class disk {
 public:
    /// All choices come from `choices`; `wall_ns` is the wall clock. Both outlive the disk.
    disk(const disk_options& o, random& choices, std::function<std::int64_t()> wall_ns);
    disk(const disk&) = delete;
    disk& operator=(const disk&) = delete;
    ~disk();

    [[nodiscard]] const inode_ref& root() const noexcept { return root_; }
    [[nodiscard]] disk_faults& faults() noexcept { return faults_; }
    [[nodiscard]] const disk_options& options() const noexcept { return options_; }
    /// What it has from now on; its size stays.
    void set_options(const disk_options& o) noexcept { options_ = o; }
    /// Makes the empty directory `path` a file system of its own, with `size` bytes. Durable.
    int add_mount(std::string_view path, std::uint64_t size);
    /// The paths of mount points, the root first, in the order of their numbers.
    [[nodiscard]] std::vector<std::pair<std::uint64_t, std::string>> mounts() const;

    /// @name Names
    /// @{
    /// openat2(2). `flags` as of open(2); `mode` without the bits of the umask.
    int open(const inode_ref& from, std::string_view path, int flags, mode_t mode,
             std::uint64_t resolve, opened_inode& into);
    /// Opens the inode again, as a path below /proc/self/fd does.
    int open_again(const inode_ref& node, int flags, opened_inode& into);
    /// The inode at `path`: `flags` has AT_SYMLINK_NOFOLLOW, or AT_EMPTY_PATH for `from` itself.
    int find(const inode_ref& from, std::string_view path, int flags, inode_ref& into) const;
    int make_folder(const inode_ref& from, std::string_view path, mode_t mode);
    int make_link(const inode_ref& from, std::string_view path, std::string_view target);
    /// unlinkat(2): `flags` has AT_REMOVEDIR or not.
    int remove(const inode_ref& from, std::string_view path, int flags);
    /// linkat(2) of an inode that the caller has found.
    int link(const inode_ref& node, const inode_ref& to, std::string_view path);
    int rename(const inode_ref& from, std::string_view old_path, const inode_ref& to,
               std::string_view path, unsigned flags);
    /// getdents64(2). `position` is 0 at the beginning, then what the last call has left in it.
    static ssize_t list(const inode& folder, std::uint64_t& position, mutable_bytes into);
    int real_path(const inode_ref& from, std::string_view path, std::string& into) const;
    /// @}

    /// @name Contents
    /// @{
    ssize_t read(inode& file, std::uint64_t at, mutable_bytes into);
    /// `append` writes at the end; `at` becomes the place after the bytes.
    ssize_t write(inode& file, std::uint64_t& at, const_bytes data, bool append = false);
    int resize(inode& file, std::uint64_t size);
    /// fallocate(2): mode 0 or FALLOC_FL_KEEP_SIZE.
    int allocate(inode& file, int mode, std::uint64_t at, std::uint64_t size);
    static void stat(const inode& node, struct stat& into);
    int stat_file_system(const inode& node, struct statvfs& into);
    int set_times(inode& node, const std::array<timespec, 2>& times);
    ssize_t get_attribute(const inode& node, std::string_view name, mutable_bytes into) const;
    int set_attribute(inode& node, std::string_view name, const_bytes value);
    int remove_attribute(inode& node, std::string_view name);
    /// posix_fadvise(2), POSIX_FADV_DONTNEED.
    static void drop_cache(inode& file) { file.data.drop_clean(); }
    /// Another program cuts, lengthens or changes the file, by the rate of foreign_change.
    void maybe_change(inode& file);
    /// @}

    /// @name Durability
    /// @{
    /// How long the next sync takes, in nanoseconds; the caller waits, then syncs.
    [[nodiscard]] std::int64_t sync_time();
    /// fsync(2) and fdatasync(2). `seen` counts the failures that the open file description was
    /// told of; at its opening it is `told_syncs` of the inode.
    int sync(inode& node, std::uint64_t& seen, bool data_only = false);
    /// sync_file_range(2) with SYNC_FILE_RANGE_WRITE: writes all that is dirty, of which nothing
    /// becomes durable for certain.
    void write_back(inode& file);
    /// syncfs(2).
    int sync_all(const inode& of);
    /// The disk after a power loss: with any legal subset of the blocks, sizes, attributes and
    /// entries that were not synced. A rename is there wholly or not at all, and after all earlier
    /// changes of its names and its file. This disk is of no use but to end its handles.
    [[nodiscard]] std::unique_ptr<disk> crash();
    /// @}

 private:
    friend class opened_inode;
    /// Where a path leads. `found` is null where the last name is free.
    struct place {
        inode_ref folder;
        std::string name;
        inode_ref found;
        bool slash = false;  ///< a slash follows the last name
        /// The last name is neither `.` nor `..` nor missing.
        [[nodiscard]] bool is_plain() const noexcept {
            return !name.empty() && name != "." && name != "..";
        }
        /// The calls for `keep_always` ask for it themselves, at their place among their checks.
        [[nodiscard]] bool is_too_long() const noexcept { return name.size() > NAME_MAX; }
    };
    enum class last_link : std::uint8_t {
        follow,
        keep,         ///< unless a slash follows
        keep_always,  ///< for calls that change the name
    };
    /// A change of one or two entries, which is durable as a whole.
    struct change {
        struct assignment {
            inode_ref folder;
            std::string name;
            inode_ref node;  ///< null: no entry
        };
        std::vector<assignment> entries;
        inode_ref node;
        bool after_all = false;  ///< not durable before any earlier change
        // Where a name that was there goes: the folder and those above it. Their names come first,
        // so that the file is not lost with a new folder.
        std::vector<inode_ref> above = {};
    };
    class dependencies;
    class aftermath;

    int walk_to_name(const inode_ref& from, std::string_view path, place& out) const;
    int walk(const inode_ref& from, std::string_view path, last_link last, std::uint64_t resolve,
             place& out) const;
    int open_unnamed(const inode_ref& folder, int flags, mode_t mode, opened_inode& into);
    int create(const place& where, inode_ref node);
    [[nodiscard]] static std::vector<inode_ref> above(inode& folder);
    [[nodiscard]] inode_ref new_inode(const inode& in, mode_t mode);
    void enter(inode& folder, const std::string& name, inode_ref node);
    void leave(inode& folder, const std::string& name);
    void free_if_gone(inode& node);
    int space_fault();
    static int charge(inode& file, std::uint64_t begin, std::uint64_t end);
    [[nodiscard]] std::int64_t now() const;
    void touch(inode& node);
    void make_durable(const std::function<bool(const change&)>& wanted);
    static void apply(const change& c);
    void keep_some_changes();

    disk_options options_;
    random& choices_;
    std::function<std::int64_t()> wall_ns_;
    disk_faults faults_;
    inode_ref root_;
    std::vector<change> changes_;  // of entries, that are not durable, oldest first
    std::set<std::uint64_t> free_numbers_;
    std::uint64_t next_number_ = 2;
    std::uint64_t mounts_made_ = 0;
};

}  // namespace sluice::sim
