// One lab at a time: two would measure each other.
#pragma once

#include <expected>
#include <string>

#include "sluice/base/fd.hpp"

namespace sluice::lab {

/// A lock of this user's, which dies with the process whatever becomes of it.
class only_lab {
 public:
    /// The error is a sentence without its full stop: another lab runs.
    [[nodiscard]] static std::expected<only_lab, std::string> claim();
    only_lab(only_lab&&) noexcept = default;
    only_lab& operator=(only_lab&&) = delete;
    only_lab(const only_lab&) = delete;
    only_lab& operator=(const only_lab&) = delete;
    /// Removes the file that was locked.
    ~only_lab();

 private:
    only_lab(std::string path, unique_fd file);

    std::string path_;
    unique_fd file_;
};

}  // namespace sluice::lab
