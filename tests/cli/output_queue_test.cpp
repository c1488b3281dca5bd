// Text that is queued for readers that are slow, late, or do not read at all.
#include "sluice/cli/output_queue.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

#include "sluice/os/linux_kernel.hpp"
#include "sluice/os/pipe.hpp"
#include "tests/support/no_memory.hpp"

namespace sluice::cli {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace std::chrono_literals;

constexpr int page = 4096;

/// Two pipes as stdout and stderr. One that holds a page is full, to poll(2), after a line.
struct streams {
    explicit streams(std::size_t size = page)
        : out{*pipe_ends::create(size)}, err{*pipe_ends::create(size)} {}

    pipe_ends out;
    pipe_ends err;

    [[nodiscard]] std::array<int, 2> ends() const { return {out.in.get(), err.in.get()}; }
};

/// What is in the pipe now.
std::string read_some(const pipe_ends& from) {
    std::string text(std::size_t{16} * page, '\0');
    const auto n = ::read(from.out.get(), text.data(), text.size());
    text.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    return text;
}

std::string line(int number) {
    std::array<char, 65> text{};
    std::snprintf(text.data(), text.size(), "%063d\n", number);
    return text.data();
}

TEST(output_queue, writes_each_stream_in_order) {
    const streams s{16 * page};
    output_queue queue{s.ends()};
    queue.add(stream::out, "one\n");
    queue.add(stream::err, "uno\n");
    queue.add(stream::out, "two\n");
    EXPECT_EQ(queue.finish(), 0U);
    EXPECT_EQ(read_some(s.out), "one\ntwo\n");
    EXPECT_EQ(read_some(s.err), "uno\n");
}

TEST(output_queue, without_memory_to_share_it_writes_all_the_same) {
    const streams s{16 * page};
    test::no_memory linux;
    const os::kernel_in_place in_place{linux};
    output_queue queue{s.ends()};
    queue.add(stream::out, "one\n");
    EXPECT_EQ(queue.finish(), 0U);
    EXPECT_EQ(read_some(s.out), "one\n");
}

TEST(output_queue, keeps_the_order_of_both_where_they_are_one) {
    const streams s{16 * page};
    output_queue queue{{s.out.in.get(), s.out.in.get()}};
    queue.add(stream::err, "one\n");
    queue.add(stream::out, "two\n");
    queue.add(stream::err, "three\n");
    EXPECT_EQ(queue.finish(), 0U);
    EXPECT_EQ(read_some(s.out), "one\ntwo\nthree\n");
}

TEST(output_queue, a_stream_that_is_not_read_holds_up_no_other) {
    // The queue's thread is left behind and writes to them until the process ends.
    static const streams s;
    output_queue queue{s.ends()};
    for (int i = 0; i < 1000; ++i) queue.add(stream::out, line(i));
    queue.add(stream::err, "still here\n");
    EXPECT_EQ(read_some(s.err), "still here\n");
    EXPECT_GT(queue.finish(), 900U);
}

TEST(output_queue, counts_what_it_dropped_where_it_is_missing) {
    const streams s;
    constexpr std::size_t most = std::size_t{64} * 100;
    output_queue queue{s.ends(), most};
    for (int i = 0; i < 1000; ++i) queue.add(stream::out, line(i));
    std::string seen;
    // What is shown is a whole number of lines, each in its place or counted in place of it.
    int shown = 0;
    for (std::size_t at = 0; shown < 1000;) {
        auto end = seen.find('\n', at);
        if (end == std::string::npos) {
            seen += read_some(s.out);
            continue;
        }
        const auto one = seen.substr(at, ++end - at);
        at = end;
        if (int lost = 0; std::sscanf(one.c_str(), "<< %d lines", &lost) == 1) {
            EXPECT_EQ(one, "<< " + std::to_string(lost) + " lines were not shown here >>\n");
            shown += lost;
        } else {
            EXPECT_EQ(one, line(shown++));
        }
    }
    EXPECT_EQ(shown, 1000);
    EXPECT_THAT(seen, HasSubstr("not shown"));
    queue.add(stream::out, "later\n");
    EXPECT_EQ(queue.finish(), 0U);
    EXPECT_THAT(seen + read_some(s.out), EndsWith("later\n"));
}

TEST(output_queue, goes_on_after_a_reader_that_left) {
    streams s;
    output_queue queue{s.ends()};
    s.out.out.reset();
    for (int i = 0; i < 1000; ++i) queue.add(stream::out, line(i));
    queue.add(stream::err, "still here\n");
    EXPECT_EQ(queue.finish(), 0U);
    EXPECT_EQ(read_some(s.err), "still here\n");
}

TEST(output_queue, without_a_thread_the_pipe_is_the_queue) {
    const streams s;
    output_queue queue{s.ends()};
    queue.go_without_thread();
    for (int i = 0; i < 100; ++i) queue.add(stream::out, line(i));
    EXPECT_EQ(read_some(s.out).size(), page);
    EXPECT_EQ(::fcntl(s.out.in.get(), F_GETFL) & O_NONBLOCK, 0);
    queue.add(stream::out, "now\n");
    EXPECT_EQ(read_some(s.out), "<< 36 lines were not shown here >>\nnow\n");
    EXPECT_EQ(queue.finish(), 0U);
}

TEST(output_queue, forked_children_drop_lines_together) {
    const streams s;
    output_queue queue{s.ends()};
    queue.go_without_thread();
    constexpr int children = 4;
    for (int i = 0; i < children; ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            for (int n = 0; n < 100; ++n) queue.add(stream::out, line(n));
            ::_exit(0);
        }
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
    }
    EXPECT_EQ(read_some(s.out).size(), page);
    EXPECT_EQ(queue.finish(), children * 100U - page / 64U);
}

/// A file of its own, and what is in it.
struct log_file {
    log_file() { opened.reset(::mkostemp(path.data(), O_APPEND | O_CLOEXEC)); }
    log_file(const log_file&) = delete;
    log_file& operator=(const log_file&) = delete;
    ~log_file() { ::unlink(path.c_str()); }

    [[nodiscard]] std::string text() const {
        std::string all(std::size_t{4} << 20, '\0');
        const auto n = ::pread(opened.get(), all.data(), all.size(), 0);
        all.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
        return all;
    }
    [[nodiscard]] unique_fd open() const {
        return unique_fd{::open(path.c_str(), O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC)};
    }

    std::string path = ::testing::TempDir() + "sluice_access_XXXXXX";
    unique_fd opened;
};

TEST(output_queue, the_access_log_is_nothing_until_it_is_opened) {
    const streams s{16 * page};
    output_queue queue{s.ends()};
    queue.add(stream::access, "lost\n");
    queue.add(stream::out, "one\n");
    EXPECT_EQ(queue.finish(), 0U);
    EXPECT_EQ(read_some(s.out), "one\n");
    EXPECT_EQ(queue.lost_of_access(), 0U);
}

TEST(output_queue, the_access_log_waits_a_moment_for_more) {
    const streams s{16 * page};
    const log_file file;
    output_queue queue{s.ends()};
    queue.open_access(file.open(), access_target::file);
    std::string all;
    for (int i = 0; i < 20'000; ++i) {
        all += line(i);
        queue.add(stream::access, line(i));
        // Beyond 256 KiB it waits no longer, so that little is ever queued.
        if (i % 1000 == 0) queue.add(stream::err, "still here\n");
    }
    EXPECT_TRUE(queue.flush(10s));
    EXPECT_EQ(file.text(), all);
    queue.add(stream::access, "later\n");
    EXPECT_EQ(queue.finish(), 0U);
    EXPECT_THAT(file.text(), EndsWith("later\n"));
}

TEST(output_queue, the_access_log_is_written_without_a_flush) {
    const streams s;
    const pipe_ends log = *pipe_ends::create(page);
    output_queue queue{s.ends()};
    queue.open_access(unique_fd{::dup(log.in.get())}, access_target::file);
    queue.add(stream::access, "one\n");
    EXPECT_EQ(read_some(log), "one\n");
}

TEST(output_queue, the_access_log_goes_to_another_file_without_a_loss) {
    for (const bool threaded : {true, false}) {
        const streams s{16 * page};
        const log_file first;
        const log_file second;
        output_queue queue{s.ends()};
        if (!threaded) queue.go_without_thread();
        queue.open_access(first.open(), access_target::file);
        std::string all;
        for (int i = 0; i < 2000; ++i) {
            all += line(i);
            queue.add(stream::access, line(i));
            if (i == 1000) {
                ASSERT_TRUE(queue.replace_access(second.open()));
            }
        }
        const auto fds = queue.descriptors();
        ASSERT_FALSE(fds.empty());
        EXPECT_EQ(::fcntl(fds.back(), F_GETFD), FD_CLOEXEC);
        EXPECT_EQ(queue.finish(), 0U);
        EXPECT_EQ(first.text() + second.text(), all);
        EXPECT_FALSE(second.text().empty());
    }
}

TEST(output_queue, an_access_log_that_is_stuck_counts_its_lines_and_holds_up_nothing) {
    static const streams s{16 * page};
    static const pipe_ends log = *pipe_ends::create(page);
    constexpr std::size_t most = std::size_t{64} * 100;
    output_queue queue{s.ends(), most};
    ::fcntl(log.in.get(), F_SETFL, O_NONBLOCK);
    ::fcntl(log.out.get(), F_SETFL, O_NONBLOCK);
    queue.open_access(unique_fd{::dup(log.in.get())}, access_target::file);
    for (int i = 0; i < 1000; ++i) queue.add(stream::access, line(i));
    queue.add(stream::err, "still here\n");
    EXPECT_EQ(read_some(s.err), "still here\n");
    EXPECT_FALSE(queue.flush(100ms));
    std::string seen;
    while (!queue.flush(0ms)) seen += read_some(log);
    seen += read_some(log);
    EXPECT_EQ(queue.lost_of_access() + seen.size() / 64, 1000U);
    EXPECT_GT(queue.lost_of_access(), 0U);
    EXPECT_EQ(seen.size() % 64, 0U);
    EXPECT_EQ(queue.finish(), 0U);
}

TEST(output_queue, each_entry_of_the_access_log_is_a_datagram) {
    for (const bool threaded : {true, false}) {
        const streams s;
        std::array<int, 2> ends{};
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends.data()), 0);
        const unique_fd reader{ends[0]};
        output_queue queue{s.ends()};
        if (!threaded) queue.go_without_thread();
        queue.open_access(unique_fd{ends[1]}, access_target::datagrams);
        queue.add(stream::access, std::string_view{"A=1\nB=2\n\0", 9});
        queue.add(stream::access, std::string_view{"A=3\n\0", 5});
        EXPECT_EQ(queue.finish(), 0U);
        std::array<char, 64> got{};
        ASSERT_EQ(::recv(reader.get(), got.data(), got.size(), MSG_DONTWAIT), 8);
        EXPECT_THAT(got.data(), StartsWith("A=1\nB=2\n"));
        ASSERT_EQ(::recv(reader.get(), got.data(), got.size(), MSG_DONTWAIT), 4);
        EXPECT_THAT(got.data(), StartsWith("A=3\n"));
    }
}

/// A disk that is full after so many bytes.
class full_disk final : public os::linux_kernel {
 public:
    explicit full_disk(int fd) noexcept : fd_{fd} {}
    ssize_t write(int fd, const_bytes data) noexcept override {
        struct stat of{};
        struct stat ours{};
        if (::fstat(fd, &of) < 0 || ::fstat(fd_, &ours) < 0 || of.st_ino != ours.st_ino) {
            return linux_kernel::write(fd, data);
        }
        if (left == 0) return -ENOSPC;
        const auto n =
            linux_kernel::write(fd, data.first(std::min<std::size_t>(left, data.size())));
        left -= static_cast<std::size_t>(n);
        return n;
    }
    std::atomic<std::size_t> left = 64 + 10;

 private:
    int fd_;
};

TEST(output_queue, a_full_disk_costs_lines_and_tears_none_that_comes_later) {
    const streams s{16 * page};
    const log_file file;
    full_disk disk{file.opened.get()};
    const os::kernel_in_place in_place{disk};
    output_queue queue{s.ends()};
    queue.open_access(file.open(), access_target::file);
    for (int i = 0; i < 5; ++i) queue.add(stream::access, line(i));
    EXPECT_TRUE(queue.flush(10s));
    queue.add(stream::access, line(5));
    EXPECT_TRUE(queue.flush(10s));
    disk.left = page;
    queue.add(stream::access, line(6));
    EXPECT_EQ(queue.finish(), 0U);
    EXPECT_EQ(file.text(), line(0) + line(1).substr(0, 10) + "\n" + line(6));
    EXPECT_EQ(queue.lost_of_access(), 5U);
}

}  // namespace
}  // namespace sluice::cli
