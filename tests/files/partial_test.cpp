// Files that are being fetched: hidden, locked, found again, and whole or gone in the end.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "sluice/files/client/partial_file.hpp"

namespace sluice::files {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

class partial : public testing::Test {
 protected:
    partial() {
        std::string name = testing::TempDir() + "partial-XXXXXX";
        folder_ = ::mkdtemp(name.data());
    }
    ~partial() override { fs::remove_all(folder_); }

    [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }
    [[nodiscard]] partial_file beside(const std::string& name) const {
        auto made = partial_file::beside(path(name));
        EXPECT_TRUE(made.has_value());
        return std::move(*made);
    }
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> found;
        for (const auto& each : fs::directory_iterator{folder_}) {
            found.push_back(each.path().filename());
        }
        std::ranges::sort(found);
        return found;
    }
    [[nodiscard]] std::string content(const std::string& name) const {
        std::ifstream file{path(name)};
        return {std::istreambuf_iterator<char>{file}, {}};
    }
    static void write(const partial_file& to, std::string_view text) {
        EXPECT_EQ(::pwrite(to.fd(), text.data(), text.size(), 0),
                  static_cast<ssize_t>(text.size()));
    }
    /// What a process that was killed leaves.
    void leave(const std::string& name, std::string_view tag, std::string_view text) const {
        auto file = beside(name);
        ASSERT_TRUE(file.begin(tag));
        write(file, text);
        file.leave_for_later();
        EXPECT_TRUE(file.waits());
    }

 private:
    fs::path folder_;
};

TEST_F(partial, has_its_name_only_when_it_is_finished) {
    auto file = beside("x");
    ASSERT_TRUE(file.begin("\"1\""));
    write(file, "new");
    EXPECT_EQ(names().size(), 1U);
    EXPECT_TRUE(names()[0].starts_with(".x."));
    ASSERT_TRUE(file.finish(true));
    EXPECT_THAT(names(), ElementsAre("x"));
    EXPECT_EQ(content("x"), "new");
}

TEST_F(partial, replaces_what_had_the_name) {
    std::ofstream{path("x")} << "old";
    {
        auto file = beside("x");
        ASSERT_TRUE(file.begin(""));
        write(file, "new");
        EXPECT_EQ(content("x"), "old");
        ASSERT_TRUE(file.finish(false));
    }
    EXPECT_THAT(names(), ElementsAre("x"));
    EXPECT_EQ(content("x"), "new");
}

TEST_F(partial, is_gone_unless_it_is_left_for_later) {
    {
        auto file = beside("x");
        ASSERT_TRUE(file.begin("\"1\""));
    }
    EXPECT_THAT(names(), IsEmpty());
    {
        auto file = beside("x");
        ASSERT_TRUE(file.begin(""));
        file.leave_for_later();
        EXPECT_FALSE(file.waits()) << "nobody could tell what it is a part of";
    }
    EXPECT_THAT(names(), IsEmpty());
}

TEST_F(partial, is_taken_up_with_its_tag_by_the_next) {
    leave("x", "\"a/../b %\"", "half");
    leave("y", "\"other\"", "another");
    auto file = beside("x");
    const auto found = file.take_up();
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->tag, "\"a/../b %\"");
    EXPECT_EQ((*found)->size, 4U);
    ASSERT_TRUE(file.finish(false));
    EXPECT_EQ(content("x"), "half");
    EXPECT_EQ(names().size(), 2U);
}

TEST_F(partial, of_another_version_is_removed_when_a_new_one_begins) {
    leave("x", "\"1\"", "half");
    auto file = beside("x");
    ASSERT_TRUE(file.take_up());
    ASSERT_TRUE(file.begin("\"2\""));
    EXPECT_EQ(names().size(), 1U);
    struct stat now{};
    ASSERT_EQ(::fstat(file.fd(), &now), 0);
    EXPECT_EQ(now.st_size, 0);
}

TEST_F(partial, that_is_being_written_to_is_left_alone) {
    auto first = beside("x");
    ASSERT_TRUE(first.begin("\"1\""));
    write(first, "first");
    auto second = beside("x");
    const auto found = second.take_up();
    ASSERT_TRUE(found);
    EXPECT_FALSE(*found);
    ASSERT_TRUE(second.begin("\"1\""));
    write(second, "second");
    EXPECT_FALSE(second.can_wait());
    ASSERT_TRUE(first.finish(false));
    EXPECT_EQ(content("x"), "first");
    ASSERT_TRUE(second.finish(false));
    EXPECT_EQ(content("x"), "second");
    EXPECT_THAT(names(), ElementsAre("x"));
}

TEST_F(partial, with_a_tag_too_long_for_a_name_cannot_wait) {
    auto file = beside(std::string(250, 'n'));
    ASSERT_TRUE(file.begin("\"" + std::string(300, 't') + "\""));
    EXPECT_FALSE(file.can_wait());
    ASSERT_TRUE(file.finish(false));
    EXPECT_THAT(names(), ElementsAre(std::string(250, 'n')));
}

TEST_F(partial, follows_a_link_and_refuses_a_directory) {
    std::ofstream{path("real")} << "old";
    ASSERT_EQ(::symlink("real", path("link").c_str()), 0);
    auto file = beside("link");
    ASSERT_TRUE(file.begin(""));
    write(file, "new");
    ASSERT_TRUE(file.finish(false));
    EXPECT_EQ(content("real"), "new");
    EXPECT_TRUE(fs::is_symlink(path("link")));
    for (const auto* name : {"", ".", ".."}) {
        const auto refused = partial_file::beside(path(name));
        ASSERT_FALSE(refused) << name;
        EXPECT_TRUE(refused.error().is(EISDIR)) << name;
    }
    EXPECT_TRUE(partial_file::beside(path("none/x")).error().is(ENOENT));
}

}  // namespace
}  // namespace sluice::files
