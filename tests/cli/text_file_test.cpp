// Text files are written whole or not at all, and the error is the kernel's own.
#include "sluice/cli/text_file.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/cli/lab/config.hpp"

namespace sluice::cli {
namespace {

/// While it lives, a file of this process has at most `bytes` (RLIMIT_FSIZE): the write(2) that
/// would exceed them is short, and the next one gives EFBIG.
class file_size_limit {
 public:
    explicit file_size_limit(rlim_t bytes) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit low{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &low);
    }
    file_size_limit(const file_size_limit&) = delete;
    file_size_limit& operator=(const file_size_limit&) = delete;
    ~file_size_limit() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }

 private:
    void (*handler_)(int) = std::signal(SIGXFSZ, SIG_IGN);
    rlimit before_{};
};

class text_file : public ::testing::Test {
 public:
    text_file() { std::filesystem::create_directories(folder_); }
    ~text_file() override {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    text_file(const text_file&) = delete;
    text_file& operator=(const text_file&) = delete;

 protected:
    [[nodiscard]] std::filesystem::path at(std::string_view name) const { return folder_ / name; }

 private:
    std::filesystem::path folder_ = std::filesystem::path{::testing::TempDir()} /
                                    ("sluice-text-file-" + std::to_string(::getpid()));
};

TEST_F(text_file, is_replaced_whole) {
    ASSERT_TRUE(replace_text(at("a"), at("a.new"), "a first text"));
    ASSERT_TRUE(replace_text(at("a"), at("a.new"), "another"));
    EXPECT_EQ(read_text(at("a")).value(), "another");
    EXPECT_FALSE(std::filesystem::exists(at("a.new")));
}

TEST_F(text_file, stays_as_it_is_where_the_new_text_does_not_fit) {
    ASSERT_TRUE(replace_text(at("a"), at("a.new"), "old"));
    result<void> done;
    {
        const file_size_limit limit{10};
        done = replace_text(at("a"), at("a.new"), std::string(100, 'x'));
    }
    ASSERT_FALSE(done);
    EXPECT_TRUE(done.error().is(EFBIG)) << done.error().message();
    EXPECT_EQ(read_text(at("a")).value(), "old");
    EXPECT_FALSE(std::filesystem::exists(at("a.new")));
}

TEST_F(text_file, leaves_no_temporary_file_where_it_cannot_be_renamed) {
    std::filesystem::create_directory(at("folder"));
    const auto done = replace_text(at("folder"), at("folder.new"), "text");
    ASSERT_FALSE(done);
    EXPECT_TRUE(done.error().is(EISDIR)) << done.error().message();
    EXPECT_FALSE(std::filesystem::exists(at("folder.new")));
}

TEST_F(text_file, of_a_setting_says_why_it_was_not_written) {
    const auto path = at("sluice.conf").string();
    ASSERT_TRUE(write_setting(path, "talk", "keep", "true"));
    std::expected<void, std::string> done;
    {
        const file_size_limit limit{10};
        done = write_setting(path, "talk", "keep", "false");
    }
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error(),
              "cannot write the configuration '" + path + "': " + error::system(EFBIG).message());
    EXPECT_EQ(read_text(path).value(), "[talk]\nkeep = true\n");
}

}  // namespace
}  // namespace sluice::cli
