// Unix sockets get their modes, replace what was left behind, and leave alone what is used.
#include "sluice/net/unix_listener.hpp"

#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "sluice/net/listener.hpp"

namespace sluice::net {
namespace {

class unix_listener : public testing::Test {
 protected:
    void SetUp() override {
        folder_ = testing::TempDir() + "sluice-XXXXXX";
        ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    [[nodiscard]] address at(const std::string& name) const {
        return *address::parse("unix:" + folder_ + "/" + name);
    }
    static bool answers(const address& where) {
        const unique_fd client{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        return ::connect(client.get(), where.data(), where.size()) == 0;
    }
    static mode_t mode_of(const address& where) {
        struct stat found{};
        EXPECT_EQ(::stat(where.path().data(), &found), 0);
        return found.st_mode & 07777U;
    }

    std::string folder_;
};

TEST_F(unix_listener, has_the_mode_whatever_the_umask_is) {
    const mode_t before = ::umask(0077);
    for (const mode_t mode : {0600U, 0660U, 0606U, 0777U}) {
        const auto where = at(std::to_string(mode));
        const auto socket = listen(where, {.allowed = {.mode = mode}});
        ASSERT_TRUE(socket) << socket.error().message();
        EXPECT_EQ(mode_of(where), mode);
        EXPECT_TRUE(answers(where));
        EXPECT_EQ(address::local_of(socket->get()), where);
    }
    EXPECT_EQ(::umask(before), 0077U);
}

TEST_F(unix_listener, replaces_a_socket_that_was_left_behind) {
    const auto where = at("left");
    static_cast<void>(listen(where));
    ASSERT_TRUE(std::filesystem::exists(where.path()));
    EXPECT_FALSE(answers(where));
    const auto again = listen(where);
    ASSERT_TRUE(again);
    EXPECT_TRUE(answers(where));
}

TEST_F(unix_listener, leaves_alone_what_is_used_and_what_is_no_socket) {
    const auto used = at("used");
    const auto first = listen(used);
    ASSERT_TRUE(first);
    EXPECT_EQ(listen(used), failure_of(EADDRINUSE));
    EXPECT_TRUE(answers(used));
    const auto file = at("file");
    std::filesystem::create_directory(file.path());
    EXPECT_EQ(listen(file), failure_of(EADDRINUSE));
    EXPECT_TRUE(std::filesystem::is_directory(file.path()));
}

TEST_F(unix_listener, one_begins_at_a_time_in_a_directory) {
    const auto where = at("locked");
    {
        const auto lock = lock_directory_of(where.path());
        ASSERT_TRUE(lock);
        EXPECT_EQ(listen(where), failure_of(EADDRINUSE));
    }
    EXPECT_TRUE(listen(where));
}

TEST_F(unix_listener, an_abstract_name_leaves_no_file) {
    const auto where = *address::parse("unix:@sluice-test-" + std::to_string(::getpid()));
    const auto socket = listen(where);
    ASSERT_TRUE(socket);
    EXPECT_TRUE(answers(where));
    EXPECT_EQ(address::local_of(socket->get()), where);
    EXPECT_EQ(listen(where), failure_of(EADDRINUSE));
}

}  // namespace
}  // namespace sluice::net
