// A file read whole, through a descriptor that no child inherits.
#include "sluice/base/small_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

#include "sluice/base/fd.hpp"

namespace sluice::test {
namespace {

namespace fs = std::filesystem;

TEST(small_file, is_read_whole_whatever_its_size_is_said_to_be) {
    EXPECT_FALSE(read_small_file("/proc/self/mountinfo").value_or("").empty());
    EXPECT_FALSE(read_small_file("/proc/self/no-such-file"));
    EXPECT_FALSE(read_small_file("/proc/self"));
    const fs::path path = fs::path{testing::TempDir()} / fmt::format("small-file-{}", ::getpid());
    const std::string text(10'000, 'x');
    std::ofstream{path} << text;
    EXPECT_EQ(read_small_file(path), text);
    fs::remove(path);
}

/// The flags of a descriptor on `path` other than `not_this` (proc(5), fdinfo).
unsigned long flags_of_reader(const fs::path& path, int not_this) {
    for (const auto& each : fs::directory_iterator{"/proc/self/fd"}) {
        std::error_code gone;
        const auto number = each.path().filename().string();
        if (number == std::to_string(not_this) || fs::read_symlink(each, gone) != path) continue;
        std::ifstream info{"/proc/self/fdinfo/" + number};
        for (std::string key, value; info >> key >> value;) {
            if (key == "flags:") return std::stoul(value, nullptr, 8);
        }
    }
    return 0;
}

TEST(small_file, its_descriptor_is_closed_in_a_program_that_is_started_meanwhile) {
    const fs::path path = fs::path{testing::TempDir()} / fmt::format("fifo-{}", ::getpid());
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    std::optional<std::string> text;
    std::thread reader{[&] { text = read_small_file(path); }};
    // Each waits for the other to open it; then the reader waits for the end.
    unique_fd writer{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
    unsigned long flags = 0;
    while (flags == 0) flags = flags_of_reader(fs::canonical(path), writer.get());
    EXPECT_NE(flags & O_CLOEXEC, 0U);
    writer.reset();
    reader.join();
    EXPECT_EQ(text, "");
    fs::remove(path);
}

}  // namespace
}  // namespace sluice::test
