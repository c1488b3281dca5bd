// Partial download: a hidden file beside its target until it is complete.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/os/fd.hpp"

namespace sluice::files {

/// A file in the directory of its target, under a hidden name with the entity tag of the download,
/// by which another process finds it and knows its version. Locked (flock(2)) while a process
/// writes to it. The destructor removes it unless it was finished or is left for later.
class partial_file {
 public:
    /// `target` is the path of the finished file; a symbolic link is followed. Errno of
    /// realpath(3), open(2) for its directory; EISDIR for a directory.
    [[nodiscard]] static result<partial_file> beside(const std::string& target);
    partial_file(partial_file&& other) noexcept;
    partial_file& operator=(partial_file&&) = delete;
    partial_file(const partial_file&) = delete;
    partial_file& operator=(const partial_file&) = delete;
    ~partial_file();

    /// A partial file that an earlier process left.
    struct left_over {
        std::string tag;         ///< the entity tag, with its quotes
        std::uint64_t size = 0;  ///< bytes in the file
    };
    /// Opens and locks the newest one; none where another process has it locked.
    [[nodiscard]] result<std::optional<left_over>> take_up();

    /// Creates an empty one for the version `tag`; an empty tag is for a version that no other
    /// process can resume. Removes other partial files of the target. Errno of openat(2).
    [[nodiscard]] result<void> begin(std::string_view tag);
    /// -1 before take_up() or begin().
    [[nodiscard]] int fd() const noexcept { return file_.get(); }
    /// Another process can resume it.
    [[nodiscard]] bool can_wait() const noexcept { return !tag_.empty(); }
    /// The destructor keeps it, if it can_wait().
    void leave_for_later() noexcept { keep_ = can_wait() && !hidden_.empty(); }
    [[nodiscard]] bool waits() const noexcept { return keep_; }
    /// Syncs the file if `sync`, and renames it to the target, which replaces another file in one
    /// step. Errno of fsync(2), renameat(2).
    [[nodiscard]] result<void> finish(bool sync);

 private:
    partial_file(unique_fd directory, std::string name);
    [[nodiscard]] std::string hidden_name(std::string_view tag) const;
    [[nodiscard]] result<bool> open_locked(const std::string& name, int flags);
    void remove_others() const;
    void remove() noexcept;

    unique_fd directory_;
    std::string target_;  // its name in the directory
    std::string prefix_;  // of the hidden names for this target
    unique_fd file_;
    std::string hidden_;
    std::string tag_;
    bool keep_ = false;
};

}  // namespace sluice::files
