// What only io_uring has: queues that fill up, and a kernel that still owes completions.
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/io/ops/file.hpp"
#include "sluice/io/ops/poll.hpp"
#include "sluice/io/run.hpp"
#include "sluice/net/connection.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/steps.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

class ring_contract : public engine_test {};
INSTANTIATE_TEST_SUITE_P(on, ring_contract, ::testing::ValuesIn(only(io::engine_kind::uring)),
                         engine_name);

TEST_P(ring_contract, more_completions_than_its_queue_holds) {
    // Every one completes at the same moment, a thousand times what the small queue holds.
    constexpr int count = 1000;
    const unique_fd counter{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    std::vector<unique_fd> numbers;
    for (int i = 0; i < count; ++i) {
        numbers.emplace_back(::fcntl(counter.get(), F_DUPFD_CLOEXEC, 0));
        ASSERT_TRUE(engine().attach(numbers.back().get()));
    }
    std::vector<int> counts(count, 0);
    run([&]() -> coro::task<> {
        coro::scope all{co_await coro::this_context()};
        auto wait = [](io::engine& e, int fd, int& seen) -> coro::task<> {
            for (int i = 0; i < 3; ++i) {
                auto ready = co_await io::poll{e, fd, io::interest::in};
                if (ready) ++seen;
            }
        };
        for (int i = 0; i < count; ++i) {
            const auto at = static_cast<std::size_t>(i);
            all.spawn(wait(engine(), numbers[at].get(), counts[at]));
        }
        co_await io::sleep_for(engine(), 0ms);
        const std::uint64_t one = 1;
        EXPECT_EQ(::write(counter.get(), &one, sizeof one), 8);
        co_await all.join();
    });
    EXPECT_THAT(counts, ::testing::Each(3));
    if (submits_are_refused()) {
        EXPECT_GE(engine().counters().overflows, 500U);
    }
    for (const auto& fd : numbers) engine().detach(fd.get());
}

TEST_P(ring_contract, many_streams_of_many_pieces) {
    // Completions of multishot operations overflow: the kernel then ends them, and they go on.
    constexpr std::size_t count = 50;
    options.buffers = {.count = 64, .size = 64, .at_first = 64};
    const std::string text = pattern(5000);
    std::vector<std::string> got(count);
    std::vector<unique_fd> peers;
    run([&]() -> coro::task<> {
        std::vector<std::unique_ptr<net::connection>> connections;
        coro::scope all{co_await coro::this_context()};
        auto read = [](net::connection& c, std::string& into) -> coro::task<> {
            for (;;) {
                auto lease = co_await c.recv();
                EXPECT_TRUE(lease) << shown(lease);
                if (!lease || lease->empty()) break;
                into += lease->text();
            }
            co_await c.close();
        };
        for (std::size_t i = 0; i < count; ++i) {
            auto pair = local_pair();
            connections.push_back(
                std::make_unique<net::connection>(engine(), std::move(pair.ours)));
            peers.push_back(std::move(pair.theirs));
            all.spawn(read(*connections.back(), got[i]));
        }
        for (std::size_t at = 0; at < text.size(); at += 50) {
            for (const auto& peer : peers)
                write_all(peer.get(), std::string_view{text}.substr(at, 50));
            if (at % 500 == 0) co_await io::sleep_for(engine(), 0ms);
        }
        for (auto& peer : peers) peer.reset();
        co_await all.join();
    });
    EXPECT_THAT(got, ::testing::Each(text));
}

TEST_P(ring_contract, does_what_it_is_restricted_to_alone) {
    static constexpr auto operations =
        std::to_array<std::uint8_t>({IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL, IORING_OP_READ});
    const auto made = io::make_engine(io::engine_kind::uring, {.ring_operations = operations});
    ASSERT_TRUE(made) << made.error().message();
    const unique_fd file{::open("/proc/self/status", O_RDONLY | O_CLOEXEC)};
    io::run(**made, [&]() -> coro::task<> {
        std::array<std::byte, 16> some{};
        const auto read =
            co_await io::read_at{**made, file.get(), std::as_writable_bytes(std::span{some}), 0};
        EXPECT_TRUE(read.has_value() && *read == some.size());
        const auto synced = co_await io::sync_file{**made, file.get()};
        EXPECT_TRUE(!synced && synced.error().is(EACCES)) << "not restricted";
    }());
}

}  // namespace
}  // namespace sluice::test
