// The directory that the lab makes its files in, gone when it ends.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "sluice/base/fd.hpp"

namespace sluice::lab {

/// A directory of its own below the one that was asked for. What a lab that was killed has left
/// there is removed first.
class workspace {
 public:
    /// The error is a sentence without its full stop.
    [[nodiscard]] static std::expected<workspace, std::string> make(const std::string& below);
    workspace(workspace&&) noexcept = default;
    workspace& operator=(workspace&&) = delete;
    workspace(const workspace&) = delete;
    workspace& operator=(const workspace&) = delete;
    /// Removes the directory with all that is in it.
    ~workspace();

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] std::string path_of(const std::string& name) const { return path_ + '/' + name; }
    /// Bytes that files may still take here.
    [[nodiscard]] std::uint64_t room() const noexcept;
    /// A file of `size` bytes that no file system can make smaller; the one that is there already,
    /// if it has that size. The error is a sentence without its full stop.
    [[nodiscard]] std::expected<std::string, std::string> file_of(std::uint64_t size) const;
    /// Removes all files and directories in `name` below here, but not itself, and makes it if need
    /// be. What their blocks take on the disk is free again when this returns.
    [[nodiscard]] std::expected<std::string, std::string> empty_directory(
        const std::string& name) const;

 private:
    workspace(std::string path, unique_fd lock);

    std::string path_;
    unique_fd lock_;
};

}  // namespace sluice::lab
