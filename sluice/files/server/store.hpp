// Directory of stored files, into which an upload is committed whole or not at all.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/files/server/durable_folders.hpp"
#include "sluice/files/server/parts.hpp"
#include "sluice/files/server/path.hpp"
#include "sluice/files/server/pending_file.hpp"
#include "sluice/files/server/quota.hpp"
#include "sluice/files/server/volume.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/shared_mutex.hpp"

namespace sluice::files {

/// A file in one state: differs for another file of the same name, and after a change.
struct file_state {
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    timespec modified{};

    [[nodiscard]] static file_state of(const struct stat& found) noexcept;
    [[nodiscard]] bool operator==(const file_state& other) const noexcept;
};

/// An open file, and its state when it was opened.
struct found_file {
    unique_fd file;
    struct stat now{};
};

/// Opens the directory once and reaches all files from there: renaming or replacing it has no
/// effect, and no symbolic link below it is followed. Any thread.
class store {
 public:
    struct options {
        bool sync = true;                        ///< kept files are on the disk (fsync(2))
        std::uint64_t quota = quota::unlimited;  ///< bytes of all files
        unsigned free_inodes = 1;                ///< percent of all that an upload leaves free
        parts::limits partial = {};              ///< limits of partial uploads
    };

    /// The most directories that are made for one file.
    static constexpr std::size_t most_new_folders = 32;

    /// Makes the directory if there is none, and removes incomplete files of an earlier process
    /// that cannot be resumed. Errno of mkdir(2), open(2): ENOTDIR, EACCES ...
    [[nodiscard]] static result<store> open(const std::string& path, options o);
    store(store&& other) noexcept = default;
    store& operator=(store&&) = delete;
    store(const store&) = delete;
    store& operator=(const store&) = delete;
    ~store() = default;

    /// A new file on the file system of `path`, or of the store itself without a path. ENOSPC,
    /// EMFILE ...; E2BIG where more than `most_new_folders` directories are missing, ENOTDIR where
    /// a file is in the way of one.
    [[nodiscard]] result<pending_file> receive(std::string_view path = {});

    /// The part of the file for `path` that has arrived under `key`, without what a power loss may
    /// have changed since; empty if there is none; the whole file has `total` bytes. Locked: EBUSY
    /// where another thread or process receives it. Errors as of receive().
    [[nodiscard]] result<pending_file> resume(std::string_view path, std::string_view key,
                                              std::uint64_t total);
    /// Evicts old parts for resume() where partials().is_full(), which takes long in a large
    /// directory: offload it from a loop. Errors as of receive().
    [[nodiscard]] result<void> make_space_for_part(std::string_view path, std::string_view key);
    /// The bytes of that part that have arrived.
    [[nodiscard]] std::uint64_t arrived(std::string_view path, std::string_view key) const;

    /// Opens a regular file for reading. EINVAL where judge_path() refuses `path`; ENOENT, EISDIR,
    /// ELOOP for a symbolic link in it; ENXIO for a file of another kind.
    [[nodiscard]] result<found_file> read(std::string_view path) const;
    /// The state of the file at `path`, without following a symbolic link. ENOENT, ENOTDIR ...
    [[nodiscard]] result<struct stat> status_of(std::string_view path) const;
    /// Makes the name of the file at `path` durable, if the store syncs: the server that gave it
    /// may have ended before it could. Blocks. ENOENT without its directory; errno of fsync(2).
    [[nodiscard]] result<void> sync_name(std::string_view path) const;
    /// Opens a directory for reading; the store itself for an empty path. ENOENT, ENOTDIR ...
    [[nodiscard]] result<unique_fd> folder(std::string_view path) const;
    /// Removes a regular file, durably if the store syncs. ENOENT, EISDIR; EEXIST where `only` is
    /// given and the file has another state by now; EBUSY as of pending_file::commit().
    [[nodiscard]] result<void> remove(std::string_view path,
                                      const std::optional<file_state>& only = {});

    /// Finds out again what the file systems let this process do, after it has changed its user or
    /// its rights. Before other threads use the store.
    void probe_again(const std::string& path);

    [[nodiscard]] int directory() const noexcept { return volumes_->root()->top.get(); }
    /// Sentences about the features that the file systems lack, and their replacements.
    [[nodiscard]] const std::vector<std::string>& notices() const noexcept { return notices_; }
    /// The partial uploads.
    [[nodiscard]] parts& partials() const noexcept { return *parts_; }
    [[nodiscard]] const quota& used() const noexcept { return *quota_; }
    /// Changes the quota of bytes. False where files are not counted, for there was none at first.
    [[nodiscard]] bool set_quota(std::uint64_t bytes) noexcept;
    [[nodiscard]] bool syncs() const noexcept { return options_.sync; }

 private:
    friend class pending_file;
    /// Where a file for a path is received.
    struct place {
        std::shared_ptr<const volume> on;
        unique_fd folder;  ///< the deepest directory of the path that exists
    };
    store(std::unique_ptr<volumes> on, options o);
    void take_notices(const std::string& path);
    /// Fails where it cannot count all: a quota of which a part is not counted is none.
    [[nodiscard]] result<void> count_files();
    /// Of the file system of `file`: whether an upload would take an inode of those to be left
    /// free.
    [[nodiscard]] bool is_short_of_inodes(int file) const noexcept;
    /// The directory of `path`.
    [[nodiscard]] result<unique_fd> folder_of(std::string_view path) const;
    /// The same; missing ones are made, and the names of all are on the disk.
    [[nodiscard]] result<unique_fd> durable_folder_of(std::string_view path) const;
    [[nodiscard]] result<place> place_for(std::string_view path) const;

    options options_;
    std::unique_ptr<volumes> volumes_;
    std::vector<std::string> notices_;
    std::unique_ptr<quota> quota_;
    std::unique_ptr<parts> parts_;
    std::unique_ptr<os::shared_mutex> names_;  // for name_lock, over all directories
    std::unique_ptr<durable_folders> durable_;
};

}  // namespace sluice::files
