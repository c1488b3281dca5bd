// Directories that a test fills: all entries come, once each, also over several reads.
#include "sluice/os/directory_reader.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

namespace sluice::os {
namespace {

class directory_reader_test : public testing::Test {
 protected:
    directory_reader_test() : path_{testing::TempDir() + "sluice-directory-XXXXXX"} {
        EXPECT_NE(::mkdtemp(path_.data()), nullptr);
    }
    ~directory_reader_test() override { std::filesystem::remove_all(path_); }

    [[nodiscard]] unique_fd open() const {
        return unique_fd{sys().openat(AT_FDCWD, path_.c_str(), O_RDONLY | O_DIRECTORY)};
    }

    std::string path_;
};

TEST_F(directory_reader_test, every_entry_comes_once_with_its_kind_and_inode) {
    std::filesystem::create_directory(path_ + "/folder");
    std::ofstream{path_ + "/file"} << "x";
    struct stat file{};
    ASSERT_EQ(sys().fstatat(AT_FDCWD, (path_ + "/file").c_str(), file, 0), 0);
    std::set<std::string> names;
    directory_reader reader{open()};
    for (;;) {
        const auto entry = reader.next();
        ASSERT_TRUE(entry);
        if (*entry == nullptr) break;
        const std::string name{(*entry)->d_name};
        EXPECT_TRUE(names.insert(name).second) << name;
        if (name == "file") {
            EXPECT_EQ((*entry)->d_ino, file.st_ino);
        }
        // Some file systems do not tell the kind.
        if ((*entry)->d_type != DT_UNKNOWN) {
            EXPECT_EQ((*entry)->d_type, name == "file" ? DT_REG : DT_DIR) << name;
        }
    }
    EXPECT_EQ(names, (std::set<std::string>{".", "..", "file", "folder"}));
}

TEST_F(directory_reader_test, more_entries_than_fit_into_its_memory) {
    constexpr int count = 500;
    const std::string long_name(200, 'n');
    for (int i = 0; i < count; ++i) std::ofstream{path_ + "/" + long_name + std::to_string(i)};
    std::set<std::string> names;
    directory_reader reader{open()};
    while (const auto* entry = reader.next().value_or(nullptr)) names.insert(entry->d_name);
    EXPECT_EQ(names.size(), count + 2U);
}

TEST_F(directory_reader_test, a_removed_directory_has_no_entries) {
    directory_reader reader{open()};
    std::filesystem::remove_all(path_);
    const auto entry = reader.next();
    ASSERT_TRUE(entry);
    EXPECT_EQ(*entry, nullptr);
}

TEST_F(directory_reader_test, a_file_is_no_directory) {
    std::ofstream{path_ + "/file"} << "x";
    directory_reader reader{unique_fd{sys().openat(AT_FDCWD, (path_ + "/file").c_str(), O_RDONLY)}};
    const auto entry = reader.next();
    ASSERT_FALSE(entry);
    EXPECT_TRUE(entry.error().is(ENOTDIR));
}

}  // namespace
}  // namespace sluice::os
