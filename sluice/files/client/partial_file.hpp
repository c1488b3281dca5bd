// A file that is being fetched: hidden beside its target until it is whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/fd.hpp"
#include "sluice/base/result.hpp"

namespace sluice::files {

/// Lies in the target's directory under a hidden name that carries the entity tag of what is being
/// fetched, so that another process finds it and knows of which version it is a part. Locked
/// (flock(2)) while somebody writes to it. Unless it was finished, or is to be left for later, it
/// is removed when this dies.
class partial_file {
 public:
    /// `target` is the file to be; where a symbolic link leads. Errno of realpath(3), open(2) for
    /// its directory; EISDIR for a directory.
    [[nodiscard]] static result<partial_file> beside(const std::string& target);
    partial_file(partial_file&& other) noexcept;
    partial_file& operator=(partial_file&&) = delete;
    partial_file(const partial_file&) = delete;
    partial_file& operator=(const partial_file&) = delete;
    ~partial_file();

    /// What an earlier process left of this target.
    struct left_over {
        std::string tag;         ///< the entity tag, with its quotes
        std::uint64_t size = 0;  ///< bytes that are there
    };
    /// Takes up the newest that nobody writes to.
    [[nodiscard]] result<std::optional<left_over>> take_up();

    /// Begins an empty one for the version that `tag` names; empty for none that another process
    /// could go on with. What was there of other versions is removed. Errno of openat(2).
    [[nodiscard]] result<void> begin(std::string_view tag);
    /// -1 before take_up() or begin().
    [[nodiscard]] int fd() const noexcept { return file_.get(); }
    /// Another process can go on with it.
    [[nodiscard]] bool can_wait() const noexcept { return !tag_.empty(); }
    /// It stays when this dies, if it can_wait().
    void leave_for_later() noexcept { leave_ = can_wait() && !hidden_.empty(); }
    [[nodiscard]] bool waits() const noexcept { return leave_; }
    /// Syncs it, if so asked, and gives it the target's name: in one step, whatever had that name.
    /// Errno of fsync(2), renameat(2).
    [[nodiscard]] result<void> finish(bool sync);

 private:
    partial_file(unique_fd directory, std::string name);
    [[nodiscard]] std::string hidden_name(std::string_view tag) const;
    [[nodiscard]] result<bool> open_locked(const std::string& name, int flags);
    void remove_others() const;
    void remove() noexcept;

    unique_fd directory_;
    std::string target_;  // its name in the directory
    std::string prefix_;  // of the hidden names of what is being fetched for this target
    unique_fd file_;
    std::string hidden_;
    std::string tag_;
    bool leave_ = false;
};

}  // namespace sluice::files
