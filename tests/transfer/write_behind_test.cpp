// What arrives is on the disk but for a window, on every engine, and an error of the disk is
// reported.
#include "sluice/transfer/write_behind.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>

#include "sluice/io/offload.hpp"
#include "sluice/io/run.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/transfer/page_cache.hpp"
#include "tests/support/engine_test.hpp"

namespace sluice::test {
namespace {

using transfer::write_behind;

constexpr std::uint64_t window = write_behind::window;
constexpr std::uint64_t piece = write_behind::piece;

/// A file without a name in the directory that the tests run in, which is on a disk as a rule.
unique_fd make_file() {
    return unique_fd{::open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
}

bool extend(int file, std::uint64_t bytes) {
    const std::string text(std::size_t{1} << 20, 'w');
    for (; bytes > 0; bytes -= text.size()) {
        if (::write(file, text.data(), text.size()) != std::ssize(text)) return false;
    }
    return true;
}

class write_behind_test : public engine_test {
 protected:
    /// What go_to() said, as a sentence.
    std::string go(write_behind& behind, std::uint64_t end) {
        std::string said = "nothing";
        run([&]() -> coro::task<> {
            const auto done = co_await behind.go_to(engine(), end);
            said = done ? "done" : done.error().message();
        });
        return said;
    }
    io::offload_pool* workers() { return engine().blocks() ? nullptr : &pool_; }

 private:
    io::offload_pool pool_{{.workers = 1}};
};
INSTANTIATE_TEST_SUITE_P(on, write_behind_test, ::testing::ValuesIn(every_engine()), engine_name);

TEST_P(write_behind_test, all_but_a_window_is_on_the_disk) {
    const auto file = make_file();
    if (!file) GTEST_SKIP() << "no file without a name can be made here";
    constexpr std::uint64_t written = 2 * piece;
    ASSERT_TRUE(extend(file.get(), written + window));
    write_behind behind{file.get(), 0, true, workers()};
    EXPECT_EQ(go(behind, written + window), "done");
    // The kernel drops what it has no need to write any more.
    ASSERT_EQ(::posix_fadvise(file.get(), 0, static_cast<off_t>(written), POSIX_FADV_DONTNEED), 0);
    const auto left = transfer::cached_bytes(file.get());
    ASSERT_TRUE(left);
    ASSERT_TRUE(transfer::make_cold(file.get()));
    if (transfer::cached_bytes(file.get()) != 0U) {
        GTEST_SKIP() << "this file system keeps its files in memory";
    }
    EXPECT_EQ(*left, window);
}

TEST_P(write_behind_test, there_is_something_to_do_for_each_piece) {
    const auto file = make_file();
    if (!file) GTEST_SKIP() << "no file without a name can be made here";
    ASSERT_TRUE(extend(file.get(), 2 * piece));
    write_behind behind{file.get(), piece, true, workers()};
    EXPECT_FALSE(behind.is_due(piece + 1));
    EXPECT_TRUE(behind.is_due(2 * piece));
    EXPECT_EQ(go(behind, 2 * piece), "done");
    EXPECT_FALSE(behind.is_due(2 * piece + 1));
}

TEST_P(write_behind_test, switched_off_it_has_nothing_to_do) {
    const write_behind behind{-1, 0, false, nullptr};
    EXPECT_FALSE(behind.is_due(1000 * window));
}

TEST_P(write_behind_test, a_loop_does_not_wait_on_its_own_thread) {
    write_behind behind{-1, 0, true, nullptr};
    if (engine().blocks()) GTEST_SKIP() << "waits by itself";
    EXPECT_EQ(go(behind, piece), "done");
    EXPECT_FALSE(behind.is_due(piece));
}

// sync_file_range(2) knows no pipes (ESPIPE), as it knows no files of some file systems.
TEST_P(write_behind_test, where_it_cannot_be_done_it_is_left_to_the_sync) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const unique_fd out{ends[0]};
    const unique_fd in{ends[1]};
    write_behind behind{in.get(), 0, true, workers()};
    EXPECT_EQ(go(behind, piece), "done");
    EXPECT_FALSE(behind.is_due(1000 * window));
}

}  // namespace
}  // namespace sluice::test
