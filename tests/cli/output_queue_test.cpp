// Text that is queued for readers that are slow, late, or do not read at all.
#include "sluice/cli/output_queue.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <string>

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

}  // namespace
}  // namespace sluice::cli
