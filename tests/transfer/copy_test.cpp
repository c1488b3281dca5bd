// Every way from a file to a file, on every engine: the same bytes, and what stands in the way.
#include "sluice/transfer/copy.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "sluice/os/fd.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/files.hpp"
#include "tests/support/sockets.hpp"

namespace sluice::test {
namespace {

using transfer::byte_counter;
using transfer::copied_part;
using transfer::copy;

class copy_test : public engine_test {
 protected:
    template <class F>
    void each_way(F f) {
        for (const auto& [name, how] : transfer::copy_names) {
            SCOPED_TRACE(std::string{name});
            f(how);
        }
    }
    result<void> copy_with(copy how, copied_part what, byte_counter& counter) {
        result<void> said;
        run([&]() -> coro::task<> {
            said = co_await transfer::copy_file(how, engine(), what, counter);
        });
        return said;
    }
};
INSTANTIATE_TEST_SUITE_P(on, copy_test, ::testing::ValuesIn(every_engine()), engine_name);

TEST_P(copy_test, the_target_is_the_source) {
    const std::string text = pattern(5'000'003);
    const temporary_file source{text};
    each_way([&](copy how) {
        const temporary_file target;
        byte_counter counter;
        const auto said = copy_with(
            how, {.from = source.fd(), .to = target.fd(), .offset = 0, .length = text.size()},
            counter);
        EXPECT_EQ(shown(said), "(ok)");
        EXPECT_TRUE(target.content() == text);
        EXPECT_EQ(counter.bytes(), text.size());
    });
}

TEST_P(copy_test, a_part_goes_where_it_was) {
    const std::string text = pattern(20'000);
    const temporary_file source{text};
    each_way([&](copy how) {
        const temporary_file target{std::string(20'000, '-')};
        byte_counter counter;
        const auto said = copy_with(
            how, {.from = source.fd(), .to = target.fd(), .offset = 8192, .length = 5000}, counter);
        EXPECT_EQ(shown(said), "(ok)");
        EXPECT_EQ(target.content(),
                  std::string(8192, '-') + text.substr(8192, 5000) + std::string(6808, '-'));
    });
}

TEST_P(copy_test, nothing_is_nothing) {
    const temporary_file source;
    each_way([&](copy how) {
        const temporary_file target;
        byte_counter counter;
        const auto said = copy_with(how, {.from = source.fd(), .to = target.fd()}, counter);
        EXPECT_EQ(shown(said), "(ok)");
        EXPECT_EQ(counter.bytes(), 0U);
    });
}

TEST_P(copy_test, a_source_that_is_shorter_is_an_end) {
    const temporary_file source{pattern(10'000)};
    each_way([&](copy how) {
        const temporary_file target;
        byte_counter counter;
        const auto said = copy_with(
            how, {.from = source.fd(), .to = target.fd(), .offset = 0, .length = 10'001}, counter);
        ASSERT_FALSE(said);
        EXPECT_TRUE(said.error() == fault::ended) << said.error().message();
        EXPECT_EQ(counter.bytes(), 10'000U);
    });
}

TEST_P(copy_test, a_target_that_takes_nothing_is_an_error) {
    const std::string text = pattern(100'000);
    const temporary_file source{text};
    const unique_fd full{::open("/dev/full", O_WRONLY | O_CLOEXEC)};
    byte_counter counter;
    const auto said = copy_with(
        copy::automatic,
        {.from = source.fd(), .to = full.get(), .offset = 0, .length = text.size()}, counter);
    ASSERT_FALSE(said);
    EXPECT_TRUE(said.error().is(ENOSPC)) << said.error().message();
}

TEST_P(copy_test, auto_finds_a_way_where_the_kernel_has_none) {
    const std::string text = pattern(3000);
    const temporary_file source{text};
    // copy_file_range(2) wants two regular files.
    const unique_fd null{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
    byte_counter counter;
    EXPECT_EQ(shown(copy_with(copy::automatic,
                              {.from = source.fd(), .to = null.get(), .offset = 0, .length = 3000},
                              counter)),
              "(ok)");
    EXPECT_EQ(counter.bytes(), 3000U);
}

}  // namespace
}  // namespace sluice::test
