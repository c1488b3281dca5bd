// Files of accounts: what is loaded, what is refused, passwords, and changes to the text.
#include "sluice/auth/accounts.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/auth/account_file.hpp"
#include "tests/auth/sample.hpp"

namespace sluice::auth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string line_of(std::string_view name, std::string_view password,
                    std::vector<std::string> rights = {"read"}, scrypt_cost cost = quick) {
    account a{.name = std::string{name}};
    if (!password.empty()) a.password = password_hash::make(password, cost);
    a.token_key = secret_key::draw();
    a.rights = std::move(rights);
    return to_line(a) + '\n';
}

class account_files : public testing::Test {
 protected:
    account_files() {
        std::string name = testing::TempDir() + "accounts_XXXXXX";
        EXPECT_NE(::mkdtemp(name.data()), nullptr);
        folder_ = name;
        file_ = name + "/users";
    }
    ~account_files() override { std::filesystem::remove_all(folder_); }

    void write(std::string_view text, mode_t mode = 0600) const {
        std::ofstream{file_} << text;
        ::chmod(file_.c_str(), mode);
    }
    [[nodiscard]] std::string content() const {
        std::ifstream in{file_};
        return {std::istreambuf_iterator<char>{in}, {}};
    }
    [[nodiscard]] std::size_t files_in_folder() const {
        return static_cast<std::size_t>(
            std::distance(std::filesystem::directory_iterator{folder_}, {}));
    }

    std::string folder_;
    std::string file_;
};

TEST_F(account_files, are_loaded_without_comments) {
    write("# who may come in\n\n \t\n" + line_of("alice", "a") + "  # more\n" +
          line_of("bob", "", {"read", "upload:/inbox"}) + "* - - read");
    const auto all = accounts::load(file_, any_right);
    ASSERT_TRUE(all) << all.error();
    EXPECT_EQ(all->size(), 2U);
    ASSERT_NE(all->find("bob"), nullptr);
    EXPECT_THAT(all->find("bob")->rights, ElementsAre("read", "upload:/inbox"));
    EXPECT_EQ(all->find("carol"), nullptr);
    EXPECT_EQ(all->find("*"), nullptr);
    EXPECT_EQ(all->find(""), nullptr);
    ASSERT_NE(all->anonymous(), nullptr);
    EXPECT_THAT(all->anonymous()->rights, ElementsAre("read"));
}

TEST_F(account_files, know_no_visitors_without_a_line) {
    write(line_of("alice", "a"));
    EXPECT_EQ(accounts::load(file_, any_right).value().anonymous(), nullptr);
}

TEST_F(account_files, are_refused_where_others_may_read_or_write_them) {
    for (const mode_t mode : {0640U, 0604U, 0620U, 0601U}) {
        write(line_of("alice", "a"), mode);
        const auto all = accounts::load(file_, any_right);
        ASSERT_FALSE(all) << mode;
        EXPECT_THAT(all.error(), HasSubstr(fmt::format("(mode {:04o})", mode)));
        EXPECT_THAT(all.error(), HasSubstr("run: chmod 600 " + file_));
    }
    ::chmod(file_.c_str(), 0400);
    EXPECT_TRUE(accounts::load(file_, any_right));
}

TEST_F(account_files, errors_name_file_and_line) {
    write("# one\n\n" + line_of("alice", "a") + "bob - -\n");
    EXPECT_THAT(accounts::load(file_, any_right).error(),
                StartsWith(file_ + ":4: the line has 3 words"));
    write(line_of("alice", "a") + line_of("alice", "b"));
    EXPECT_EQ(accounts::load(file_, any_right).error(),
              file_ + ":2: alice has a line already; one for each account is expected");
    write("* - - read\n* - - all\n");
    EXPECT_THAT(accounts::load(file_, any_right).error(), HasSubstr(":2: * has a line already"));
    const auto none = [](std::string_view right) { return fmt::format("no {} here", right); };
    write(line_of("alice", "a"));
    EXPECT_EQ(accounts::load(file_, none).error(), file_ + ":1: the rights of alice: no read here");
}

TEST_F(account_files, that_cannot_be_read_are_named) {
    EXPECT_EQ(accounts::load(file_, any_right).error(),
              fmt::format("cannot read accounts from {}: no such file or directory", file_));
    ::chmod(folder_.c_str(), 0700);
    EXPECT_THAT(accounts::load(folder_, any_right).error(), HasSubstr("is a directory"));
}

TEST_F(account_files, are_replaced_in_one_step_for_their_owner_alone) {
    const ::mode_t before = ::umask(0);
    ASSERT_TRUE(write_account_file(file_, "first\n"));
    ASSERT_TRUE(write_account_file(file_, "second\n"));
    ::umask(before);
    EXPECT_EQ(content(), "second\n");
    struct stat about{};
    ASSERT_EQ(::stat(file_.c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 07777U, 0600U);
    EXPECT_EQ(files_in_folder(), 1U);
}

TEST_F(account_files, keep_their_owner) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root may give files away";
    write("first\n");
    ASSERT_EQ(::chown(file_.c_str(), 1234, 5678), 0);
    ASSERT_TRUE(write_account_file(file_, "second\n"));
    struct stat about{};
    ASSERT_EQ(::stat(file_.c_str(), &about), 0);
    EXPECT_EQ(about.st_uid, 1234U);
    EXPECT_EQ(about.st_gid, 5678U);
    EXPECT_EQ(content(), "second\n");
}

TEST_F(account_files, that_cannot_be_written_stay_as_they_were) {
    ASSERT_EQ(::mkdir(file_.c_str(), 0700), 0);  // no rename can put a file there
    const auto written = write_account_file(file_, "text\n");
    ASSERT_FALSE(written);
    EXPECT_TRUE(written.error().is(EISDIR)) << written.error().message();
    EXPECT_EQ(files_in_folder(), 1U);
    EXPECT_TRUE(write_account_file(folder_ + "/nowhere/users", "").error().is(ENOENT));
}

TEST_F(account_files, are_locked_once_at_a_time) {
    const auto held = lock_account_file(file_);
    ASSERT_TRUE(held);
    const unique_fd other{::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    EXPECT_EQ(os::sys().flock(other.get(), LOCK_EX | LOCK_NB), -EWOULDBLOCK);
}

TEST(account_text, changes_by_one_line) {
    constexpr std::string_view text = "# a comment\n\nalice old\n\tbob old\n#alice\nalice2 old";
    EXPECT_EQ(with_line(text, "alice", "alice new"),
              "# a comment\n\nalice new\n\tbob old\n#alice\nalice2 old\n");
    EXPECT_EQ(with_line(text, "bob", ""), "# a comment\n\nalice old\n#alice\nalice2 old\n");
    EXPECT_EQ(with_line("alice old\n", "carol", "carol new"), "alice old\ncarol new\n");
    EXPECT_EQ(with_line("", "carol", "carol new"), "carol new\n");
    EXPECT_EQ(with_line("alice old\n", "carol", ""), "alice old\n");
}

TEST(accounts, verify_passwords) {
    const auto all = accounts::parse(
        line_of("alice", "secret") + line_of("bob", "") + "* - - read\n", "users", any_right);
    ASSERT_TRUE(all) << all.error();
    EXPECT_TRUE(all->verify("alice", "secret"));
    EXPECT_FALSE(all->verify("alice", "Secret"));
    EXPECT_FALSE(all->verify("alice", ""));
    EXPECT_FALSE(all->verify("alic", "secret"));
    EXPECT_FALSE(all->verify("bob", ""));
    EXPECT_FALSE(all->verify("bob", "secret"));
    EXPECT_FALSE(all->verify("*", ""));
    EXPECT_FALSE(all->verify("-", "-"));
}

TEST(accounts, do_as_much_work_for_unknown_names) {
    constexpr scrypt_cost slow{.log2_n = 12, .r = 8, .p = 1};
    const auto all = accounts::parse(
        line_of("alice", "secret", {"read"}, slow) + line_of("bob", ""), "users", any_right);
    ASSERT_TRUE(all) << all.error();
    const auto cpu_of = [&](std::string_view name) {
        std::int64_t least = INT64_MAX;
        for (int i = 0; i < 5; ++i) {
            const auto begin = os::sys().thread_cpu_ns();
            EXPECT_FALSE(all->verify(name, "wrong"));
            least = std::min(least, os::sys().thread_cpu_ns() - begin);
        }
        return least;
    };
    const auto known = cpu_of("alice");
    EXPECT_GT(cpu_of("carol"), known / 2);
    EXPECT_LT(cpu_of("carol"), known * 2);
    EXPECT_GT(cpu_of("bob"), known / 2);
}

}  // namespace
}  // namespace sluice::auth
