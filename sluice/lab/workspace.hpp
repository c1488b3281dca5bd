// The temporary directory for the lab's files, removed when the lab ends.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "sluice/os/fd.hpp"

namespace sluice::lab {

/// A new directory below the given one. make() first removes the directories of labs that were
/// killed.
class workspace {
 public:
    /// The error is a sentence without its full stop.
    [[nodiscard]] static std::expected<workspace, std::string> make(const std::string& below);
    workspace(workspace&&) noexcept = default;
    workspace& operator=(workspace&&) = delete;
    workspace(const workspace&) = delete;
    workspace& operator=(const workspace&) = delete;
    /// Removes the directory and its contents.
    ~workspace();

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] std::string path_of(const std::string& name) const { return path_ + '/' + name; }
    /// Free bytes of the file system, for unprivileged users.
    [[nodiscard]] std::uint64_t free_space() const noexcept;
    /// The path of a file of `size` random bytes, which no file system can compress; made unless it
    /// exists with that size. The error is a sentence without its full stop.
    [[nodiscard]] std::expected<std::string, std::string> file_of(std::uint64_t size) const;
    /// The path of an empty directory `name` in the workspace, made anew. Its old contents are
    /// removed, so that their blocks are free when this returns.
    [[nodiscard]] std::expected<std::string, std::string> empty_directory(
        const std::string& name) const;

 private:
    workspace(std::string path, unique_fd lock);

    std::string path_;
    unique_fd lock_;
};

}  // namespace sluice::lab
