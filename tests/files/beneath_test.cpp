// Paths below a directory: the same with openat2(2) and where a filter refuses it.
#include "sluice/files/server/beneath.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "sluice/os/linux_kernel.hpp"

namespace sluice::files {
namespace {

namespace fs = std::filesystem;

/// Linux under RestrictSUIDSGID= of systemd.exec(5).
class without_openat2 final : public os::linux_kernel {
 public:
    int openat2(int, const char*, int, mode_t, std::uint64_t) noexcept override { return -ENOSYS; }
};

class beneath : public testing::Test {
 protected:
    beneath() {
        std::string name = testing::TempDir() + "beneath-XXXXXX";
        folder_ = ::mkdtemp(name.data());
        fs::create_directories(folder_ / "top/a/b");
        std::ofstream{folder_ / "outside"} << "not to be read";
        std::ofstream{folder_ / "top/file"} << "a file";
        std::ofstream{folder_ / "top/a/b/deep"} << "deep";
        fs::create_symlink("file", folder_ / "top/link");
        fs::create_symlink("../../outside", folder_ / "top/a/out");
        fs::create_directory_symlink("a", folder_ / "top/folder_link");
        fs::create_directory_symlink("..", folder_ / "top/up");
        EXPECT_EQ(::mkfifo((folder_ / "top/pipe").c_str(), 0600), 0);
        top_ = unique_fd{::open((folder_ / "top").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    }
    ~beneath() override { fs::remove_all(folder_); }

    /// What comes of opening a path: the file, by its inode, or the errno.
    [[nodiscard]] std::string opened(const std::string& path, int flags) const {
        const auto file = open_beneath(top_.get(), path.c_str(), flags);
        if (!file) return file.error().message();
        struct stat found{};
        EXPECT_EQ(::fstat(file->get(), &found), 0);
        return "inode " + std::to_string(found.st_ino);
    }
    [[nodiscard]] std::string opened_by_steps(const std::string& path, int flags) const {
        without_openat2 refusing;
        const os::kernel_in_place now{refusing};
        return opened(path, flags);
    }

    fs::path folder_;
    unique_fd top_;
};

TEST_F(beneath, is_the_same_by_steps) {
    const std::string longest(255, 'x');
    for (const int flags : {O_RDONLY | O_DIRECTORY, O_RDONLY | O_NONBLOCK | O_NOCTTY}) {
        for (const std::string path : {"",
                                       ".",
                                       "file",
                                       "file/",
                                       "file/x",
                                       "a",
                                       "a/",
                                       "a//b",
                                       "./a/./b",
                                       "a/b/deep",
                                       "a/none",
                                       "none/a",
                                       "link",
                                       "a/out",
                                       "folder_link",
                                       "folder_link/",
                                       "folder_link/b/deep",
                                       "up",
                                       "up/outside",
                                       "up/top/file",
                                       "pipe",
                                       "/",
                                       "/etc/passwd"}) {
            EXPECT_EQ(opened_by_steps(path, flags), opened(path, flags)) << path << ' ' << flags;
        }
        for (const auto& path : {longest, longest + "x", "a/" + longest + "x/b"}) {
            EXPECT_EQ(opened_by_steps(path, flags), opened(path, flags)) << path << ' ' << flags;
        }
    }
}

TEST_F(beneath, leads_nowhere_else) {
    const auto refused = error::system(EXDEV).message();
    for (const std::string path :
         {"..", "../outside", "a/../../outside", "a/..", "a/b/../../file"}) {
        EXPECT_EQ(opened_by_steps(path, O_RDONLY), refused) << path;
    }
    const auto link = error::system(ELOOP).message();
    for (const std::string path : {"a/out", "up/outside", "folder_link/b/deep", "link"}) {
        EXPECT_EQ(opened_by_steps(path, O_RDONLY), link) << path;
    }
}

TEST_F(beneath, leaves_no_descriptor_open) {
    const int before = ::dup(top_.get());
    ::close(before);
    for (const std::string path : {"a/b/deep", "a/b/none", "folder_link/b", "a/.."}) {
        static_cast<void>(opened_by_steps(path, O_RDONLY));
    }
    const int after = ::dup(top_.get());
    ::close(after);
    EXPECT_EQ(after, before);
}

}  // namespace
}  // namespace sluice::files
