// A directory into which files come whole or not at all.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/base/fd.hpp"
#include "sluice/base/result.hpp"

namespace sluice::service::files {

/// Why `name` cannot be the name of a file here, as a sentence for whoever tried; empty if it can:
/// 1 to 255 bytes of UTF-8 without controls, no slash, and no dot in front, for such names are
/// hidden and some of them are ours.
[[nodiscard]] std::string why_no_file_name(std::string_view name);

class store;

/// A file that is being received. It has no name, so nobody sees it, and it is gone when this dies
/// or the process ends before it was kept. Movable.
class incoming {
 public:
    incoming(incoming&& other) noexcept
        : owner_{other.owner_},
          file_{std::move(other.file_)},
          hidden_{std::exchange(other.hidden_, {})} {}
    incoming& operator=(incoming&&) = delete;
    incoming(const incoming&) = delete;
    incoming& operator=(const incoming&) = delete;
    ~incoming();

    [[nodiscard]] int fd() const noexcept { return file_.get(); }
    /// Syncs it and gives it its name; what had that name before is replaced in one step. Blocks
    /// for as long as the disk takes: offload it from a loop. Errno of fsync(2), linkat(2),
    /// renameat(2); nothing is visible then.
    [[nodiscard]] result<void> keep(std::string_view name);
    /// The same under a name made of the time and a number, which it gives.
    [[nodiscard]] result<std::string> keep_under_new_name();

 private:
    friend class store;
    incoming(store& owner, unique_fd file, std::string hidden) noexcept;
    [[nodiscard]] result<void> give_hidden_name();
    [[nodiscard]] result<void> rename_to(const std::string& name, unsigned flags);

    store* owner_;
    unique_fd file_;
    std::string hidden_;  // the name it has until it gets its own, if it needs one
};

/// Opens the directory once, and reaches everything from there: whoever renames or replaces it
/// meanwhile changes nothing. Any thread.
class store {
 public:
    struct options {
        bool sync = true;  ///< a file that was kept is on the disk (fsync(2))
    };

    /// Makes the directory if there is none, and removes what an earlier process left half done.
    /// Errno of mkdir(2), open(2): ENOTDIR, EACCES ...
    [[nodiscard]] static result<store> open(const std::string& path, options o);
    store(store&& other) noexcept
        : directory_{std::move(other.directory_)}, options_{other.options_} {}
    store& operator=(store&&) = delete;
    store(const store&) = delete;
    store& operator=(const store&) = delete;
    ~store() = default;

    /// A new file without a name. ENOSPC, EMFILE ...
    [[nodiscard]] result<incoming> receive();
    /// A regular file of that name, for reading; never one that a symbolic link leads to
    /// (openat2(2), RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS). ENOENT, EISDIR, ELOOP; EINVAL for what
    /// is no name.
    [[nodiscard]] result<unique_fd> read(std::string_view name) const;
    [[nodiscard]] int directory() const noexcept { return directory_.get(); }

 private:
    friend class incoming;
    store(unique_fd directory, options o) noexcept
        : directory_{std::move(directory)}, options_{o} {}
    [[nodiscard]] result<void> remove_leftovers() const;
    [[nodiscard]] std::string next_hidden_name() noexcept;

    unique_fd directory_;
    options options_;
    std::atomic<std::uint64_t> last_ = 0;
};

}  // namespace sluice::service::files
