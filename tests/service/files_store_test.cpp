// The store: whole files under names that are names, and nothing else.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/service/files/digest.hpp"
#include "sluice/service/files/store.hpp"
#include "tests/support/files.hpp"
#include "tests/support/sockets.hpp"

namespace sluice::test {
namespace {

namespace fs = std::filesystem;
using service::files::sha256_of;
using service::files::store;
using service::files::why_no_file_name;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class store_test : public ::testing::Test {
 protected:
    store_test() {
        std::string pattern = testing::TempDir() + "store-XXXXXX";
        folder_ = ::mkdtemp(pattern.data());
    }
    ~store_test() override { fs::remove_all(folder_); }
    store_test(const store_test&) = delete;
    store_test& operator=(const store_test&) = delete;

    [[nodiscard]] store open() {
        auto made = store::open(folder_.string(), {.sync = false});
        EXPECT_TRUE(made) << made.error().message();
        return std::move(*made);
    }
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> found;
        for (const auto& entry : fs::directory_iterator{folder_}) {
            found.push_back(entry.path().filename());
        }
        return found;
    }
    [[nodiscard]] std::string content(const std::string& name) const {
        std::ostringstream all;
        all << std::ifstream{folder_ / name}.rdbuf();
        return all.str();
    }
    static void put(store& s, std::string_view name, std::string_view text) {
        auto file = s.receive();
        ASSERT_TRUE(file) << file.error().message();
        write_all(file->fd(), text);
        auto kept = file->keep(name);
        ASSERT_TRUE(kept) << kept.error().message();
    }

    fs::path folder_;
};

TEST_F(store_test, a_file_has_no_name_before_it_is_kept) {
    store s = open();
    auto file = s.receive();
    ASSERT_TRUE(file);
    write_all(file->fd(), "half of a ");
    EXPECT_THAT(names(), IsEmpty());
    write_all(file->fd(), "file");
    ASSERT_TRUE(file->keep("whole"));
    EXPECT_THAT(names(), ElementsAre("whole"));
    EXPECT_EQ(content("whole"), "half of a file");
}

TEST_F(store_test, one_that_was_not_kept_is_gone) {
    store s = open();
    {
        auto file = s.receive();
        ASSERT_TRUE(file);
        write_all(file->fd(), "half of a ");
    }
    EXPECT_THAT(names(), IsEmpty());
}

TEST_F(store_test, the_last_to_finish_wins_and_each_is_whole) {
    store s = open();
    auto first = s.receive();
    auto second = s.receive();
    ASSERT_TRUE(first && second);
    write_all(first->fd(), "the first");
    write_all(second->fd(), "the second");
    ASSERT_TRUE(second->keep("one"));
    EXPECT_EQ(content("one"), "the second");
    ASSERT_TRUE(first->keep("one"));
    EXPECT_EQ(content("one"), "the first");
    EXPECT_THAT(names(), ElementsAre("one"));
}

TEST_F(store_test, new_names_replace_nothing) {
    store s = open();
    std::vector<std::string> given;
    for (int i = 0; i < 3; ++i) {
        auto file = s.receive();
        ASSERT_TRUE(file);
        auto name = file->keep_under_new_name();
        ASSERT_TRUE(name) << name.error().message();
        given.push_back(*name);
    }
    EXPECT_THAT(names(), UnorderedElementsAre(given[0], given[1], given[2]));
}

TEST_F(store_test, what_is_no_name_is_refused_in_both_directions) {
    store s = open();
    const std::string long_name(256, 'x');
    const std::array<std::string_view, 13> bad{"",
                                               ".",
                                               "..",
                                               "../up",
                                               "/etc/passwd",
                                               "a/../b",
                                               "a//b",
                                               "a/.hid",
                                               ".hid",
                                               "a\nb",
                                               "a\tb",
                                               std::string_view{"a\0b", 3},
                                               std::string_view{"\xff"}};
    for (const auto name : bad) {
        EXPECT_FALSE(why_no_file_name(name).empty()) << name;
        auto file = s.receive();
        ASSERT_TRUE(file);
        auto kept = file->keep(name);
        EXPECT_TRUE(!kept && kept.error().is(EINVAL)) << name;
        EXPECT_FALSE(s.read(name)) << name;
    }
    EXPECT_FALSE(why_no_file_name(long_name).empty());
    EXPECT_EQ(why_no_file_name("grüß dich, 🙂.txt"), "");
    EXPECT_THAT(names(), IsEmpty());
}

TEST_F(store_test, reading_follows_no_link_and_opens_files_alone) {
    store s = open();
    put(s, "mine", "text");
    fs::create_symlink("/etc/passwd", folder_ / "out");
    fs::create_symlink("mine", folder_ / "within");
    fs::create_directory(folder_ / "folder");
    ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
    const auto why = [&](const char* name) {
        auto got = s.read(name);
        return got ? 0 : got.error().code();
    };
    EXPECT_EQ(why("mine"), 0);
    EXPECT_EQ(why("out"), ELOOP);
    EXPECT_EQ(why("within"), ELOOP);
    EXPECT_EQ(why("folder"), EISDIR);
    EXPECT_EQ(why("pipe"), ENXIO);
    EXPECT_EQ(why("nothing"), ENOENT);
}

TEST_F(store_test, the_directory_is_the_one_that_was_opened_whatever_its_name_is_now) {
    store s = open();
    const fs::path moved = folder_.string() + "-moved";
    fs::rename(folder_, moved);
    fs::create_symlink("/tmp", folder_);
    put(s, "here", "text");
    EXPECT_TRUE(fs::exists(moved / "here"));
    EXPECT_FALSE(fs::exists("/tmp/here"));
    fs::remove(folder_);
    fs::rename(moved, folder_);
}

TEST_F(store_test, left_overs_of_an_earlier_process_go_and_nothing_else) {
    std::ofstream{folder_ / ".sluice-1-7"} << "half of a ";
    std::ofstream{folder_ / "mine"} << "whole";
    static_cast<void>(open());
    EXPECT_THAT(names(), ElementsAre("mine"));
}

TEST_F(store_test, a_place_that_is_no_directory_is_refused) {
    std::ofstream{folder_ / "file"} << "x";
    const auto made = store::open(folder_ / "file", {});
    EXPECT_TRUE(!made && made.error().is(ENOTDIR));
}

TEST(digest, is_that_of_fips_180_2) {
    const temporary_file abc{"abc"};
    EXPECT_EQ(sha256_of(abc.fd()).value_or(""),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const temporary_file nothing;
    EXPECT_EQ(sha256_of(nothing.fd()).value_or(""),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    const temporary_file million{std::string(1'000'000, 'a')};
    EXPECT_EQ(sha256_of(million.fd()).value_or(""),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

}  // namespace
}  // namespace sluice::test
