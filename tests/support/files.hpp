// Files that are gone when the test is over.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "sluice/os/fd.hpp"

namespace sluice::test {

/// A file without a name, open for reading and writing, in the folder for such files.
class temporary_file {
 public:
    explicit temporary_file(std::string_view content = {})
        : fd_{::open(testing::TempDir().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)} {
        EXPECT_TRUE(fd_);
        while (!content.empty()) {
            const auto n = ::write(fd_.get(), content.data(), content.size());
            if (n <= 0) break;
            content.remove_prefix(static_cast<std::size_t>(n));
        }
        EXPECT_TRUE(content.empty());
    }
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    /// All of it.
    [[nodiscard]] std::string content() const {
        std::string all;
        char buffer[65536];
        ssize_t n = 0;
        while ((n = ::pread(fd_.get(), buffer, sizeof buffer, static_cast<off_t>(all.size()))) >
               0) {
            all.append(buffer, static_cast<std::size_t>(n));
        }
        return all;
    }

 private:
    unique_fd fd_;
};

}  // namespace sluice::test
