// Once warm, an operation allocates nothing: counted by an operator new of this binary's own.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <thread>

#include "sluice/base/sanitizer.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/engines/uring_probe.hpp"
#include "sluice/io/run.hpp"
#include "sluice/net/connection.hpp"

namespace {

thread_local std::uint64_t allocations = 0;

void* counted(std::size_t size) noexcept {
    ++allocations;
    return std::malloc(size);  // NOLINT(cppcoreguidelines-no-malloc): this is operator new
}

}  // namespace

// Not inlined, or g++ takes malloc with delete for a mistake.
[[gnu::noinline]] void* operator new(std::size_t size) {
    if (void* memory = counted(size)) return memory;
    throw std::bad_alloc{};
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t& /*unused*/) noexcept {
    return counted(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t /*size*/) noexcept {
    std::free(memory);
}

namespace sluice {
namespace {

using namespace std::chrono_literals;

constexpr int warm_up = 1'000;
constexpr int measured = 10'000;

// One message through a coroutine of its own, as a service does it.
coro::task<result<void>> answer(net::connection& peer) {
    auto got = co_await io::with_timeout(peer.home(), peer.recv(), 10s);
    if (!got) co_return failure(got.error());
    if (got->empty()) co_return failure(fault::ended);
    auto sent = co_await peer.send_all(got->bytes());
    if (!sent) co_return failure(sent.error());
    co_return result<void>{};
}

coro::task<> answer_all(io::engine& e, unique_fd socket, std::uint64_t& counted_at_end) {
    net::connection peer{e, std::move(socket)};
    for (int i = 0; i < warm_up; ++i) EXPECT_TRUE(co_await answer(peer));
    const std::uint64_t before = allocations;
    for (int i = 0; i < measured; ++i) EXPECT_TRUE(co_await answer(peer));
    counted_at_end = allocations - before;
    co_await peer.close();
}

void ask_and_read(unique_fd socket) {
    std::array<char, 64> bytes{};
    for (int i = 0; i < warm_up + measured; ++i) {
        ASSERT_EQ(::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(bytes.size()));
        for (std::size_t got = 0; got < bytes.size();) {
            const auto n = ::recv(socket.get(), bytes.data() + got, bytes.size() - got, 0);
            ASSERT_GT(n, 0);
            got += static_cast<std::size_t>(n);
        }
    }
}

class steady : public testing::TestWithParam<io::engine_kind> {};

TEST_P(steady, message_allocates_nothing) {
    if (address_sanitizer) GTEST_SKIP() << "frames are not kept under the address sanitizer";
    if (const char* only = std::getenv("SLUICE_TEST_ENGINES")) {
        if (std::string{only}.find(to_text(GetParam())) == std::string::npos) {
            GTEST_SKIP() << "not among SLUICE_TEST_ENGINES";
        }
    }
    if (GetParam() == io::engine_kind::uring && !io::probe_uring().usable) {
        GTEST_SKIP() << io::probe_uring().why_not;
    }
    auto engine = io::make_engine(GetParam());
    ASSERT_TRUE(engine);
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    std::thread asker{[end = ends[1]] { ask_and_read(unique_fd{end}); }};
    std::uint64_t counted_at_end = 1;
    io::run(**engine, answer_all(**engine, unique_fd{ends[0]}, counted_at_end));
    asker.join();
    EXPECT_EQ(counted_at_end, 0U);
}

TEST(steady_count, sees_an_allocation) {
    const std::uint64_t before = allocations;
    const auto something = std::make_unique<int>(1);
    EXPECT_EQ(allocations - before, 1U);
}

INSTANTIATE_TEST_SUITE_P(on, steady,
                         testing::Values(io::engine_kind::blocking, io::engine_kind::epoll,
                                         io::engine_kind::uring),
                         [](const auto& i) { return std::string{io::to_text(i.param)}; });

}  // namespace
}  // namespace sluice
