// A directory into which files come whole or not at all.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/fd.hpp"
#include "sluice/base/result.hpp"
#include "sluice/files/server/incoming.hpp"
#include "sluice/files/server/parts.hpp"
#include "sluice/files/server/path.hpp"
#include "sluice/files/server/quota.hpp"
#include "sluice/files/server/volume.hpp"

namespace sluice::files {

/// A file as it is at one moment: another one of the same name, or the same one changed, differs.
struct file_state {
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    timespec modified{};

    [[nodiscard]] static file_state of(const struct stat& found) noexcept;
    [[nodiscard]] bool operator==(const file_state& other) const noexcept;
};

/// A file that was opened, and what it was then.
struct found_file {
    unique_fd file;
    struct stat now{};
};

/// Opens the directory once, and reaches everything from there: whoever renames or replaces it
/// meanwhile changes nothing, and no symbolic link is followed anywhere below it. Any thread.
class store {
 public:
    struct options {
        bool sync = true;                        ///< a file that was kept is on the disk (fsync(2))
        std::uint64_t quota = quota::unlimited;  ///< bytes of all files
        parts::limits partial = {};              ///< of files that wait to be resumed
    };

    /// Directories that one file may make on its way.
    static constexpr std::size_t most_new_folders = 32;

    /// Makes the directory if there is none, and removes what an earlier process left half done and
    /// nobody can resume. Errno of mkdir(2), open(2): ENOTDIR, EACCES ...
    [[nodiscard]] static result<store> open(const std::string& path, options o);
    store(store&& other) noexcept = default;
    store& operator=(store&&) = delete;
    store(const store&) = delete;
    store& operator=(const store&) = delete;
    ~store() = default;

    /// A new file on the file system on which `path` is or will be, of the store itself without.
    /// ENOSPC, EMFILE ...; E2BIG where more than `most_new_folders` directories are missing,
    /// ENOTDIR where a file is in the way of one.
    [[nodiscard]] result<incoming> receive(std::string_view path = {});

    /// The part of the file for `path` that `key` names and that has arrived before; empty if there
    /// is none; the whole file has `total` bytes. Locked: EBUSY where another receives it at the
    /// moment. Errors as of receive().
    [[nodiscard]] result<incoming> resume(std::string_view path, std::string_view key,
                                          std::uint64_t total);
    /// What resume() does first where partials().is_full(), which takes long in a large directory:
    /// offload it from a loop. Errors as of receive().
    [[nodiscard]] result<void> make_room_for_part(std::string_view path, std::string_view key);
    /// How much of that has arrived.
    [[nodiscard]] std::uint64_t arrived(std::string_view path, std::string_view key) const;

    /// A regular file, for reading; `path` is none that judge_path() refuses, else EINVAL. ENOENT,
    /// EISDIR, ELOOP for a symbolic link on the way; ENXIO for what is neither file nor directory.
    [[nodiscard]] result<found_file> read(std::string_view path) const;
    /// What has the name at `path`, a symbolic link as itself. ENOENT, ENOTDIR ...
    [[nodiscard]] result<struct stat> look(std::string_view path) const;
    /// A directory, for reading; the store itself for an empty path. ENOENT, ENOTDIR ...
    [[nodiscard]] result<unique_fd> folder(std::string_view path) const;
    /// Takes a regular file's name away, for good when it returns. ENOENT, EISDIR, EEXIST where
    /// `only` is given and something else has the name by now; EBUSY as for incoming::keep().
    [[nodiscard]] result<void> remove(std::string_view path,
                                      const std::optional<file_state>& only = {});

    [[nodiscard]] int directory() const noexcept { return volumes_->root()->top.get(); }
    /// What the file systems here do not offer, and what is used in its place: sentences.
    [[nodiscard]] const std::vector<std::string>& remarks() const noexcept { return remarks_; }
    /// Those that wait to be resumed.
    [[nodiscard]] parts& partials() const noexcept { return *parts_; }
    [[nodiscard]] const quota& room() const noexcept { return *room_; }
    [[nodiscard]] bool syncs() const noexcept { return options_.sync; }

 private:
    friend class incoming;
    /// Where a file for a path is received.
    struct place {
        std::shared_ptr<const volume> on;
        unique_fd folder;  ///< the lowest directory on the way that is there
    };
    store(std::unique_ptr<volumes> on, options o);
    void count_files();
    /// The directory that holds `path`, made if need be.
    [[nodiscard]] result<unique_fd> folder_of(std::string_view path, bool make) const;
    [[nodiscard]] result<place> place_for(std::string_view path) const;

    options options_;
    std::unique_ptr<volumes> volumes_;
    std::vector<std::string> remarks_;
    std::unique_ptr<quota> room_;
    std::unique_ptr<parts> parts_;
    std::unique_ptr<std::shared_mutex> names_;  // of all directories, where these have no locks
};

}  // namespace sluice::files
