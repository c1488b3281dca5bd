// The pool: lends what it has, grows to its limit, and wakes one for each buffer that is returned.
#include "sluice/io/buffer_pool.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <set>
#include <utility>
#include <vector>

namespace sluice::test {
namespace {

struct pool_test : ::testing::Test {
    coro::resumable_list woken;
};

TEST_F(pool_test, lends_each_buffer_once) {
    io::buffer_pool pool{{.count = 8, .size = 100, .at_first = 2}, woken};
    std::set<int> leased;
    for (int i = 0; i < 8; ++i) {
        const int id = pool.take();
        ASSERT_GE(id, 0);
        EXPECT_TRUE(leased.insert(id).second);
        EXPECT_EQ(pool.bytes(id).size(), 100U);
        std::memset(pool.bytes(id).data(), id, 100);
    }
    EXPECT_EQ(pool.leased(), 8U);
    EXPECT_EQ(pool.take(), -1);
    EXPECT_FALSE(pool.grow());
    for (const int id : leased) {
        for (const std::byte b : pool.bytes(id)) ASSERT_EQ(std::to_integer<int>(b), id);
        pool.give_back(id);
    }
    EXPECT_EQ(pool.leased(), 0U);
}

TEST_F(pool_test, lends_the_one_used_last_first) {
    io::buffer_pool pool{{.count = 8, .size = 100, .at_first = 8}, woken};
    const int a = pool.take();
    const int b = pool.take();
    pool.give_back(a);
    pool.give_back(b);
    EXPECT_EQ(pool.take(), b);
    EXPECT_EQ(pool.take(), a);
    pool.give_back(a);
    pool.give_back(b);
}

/// How many of the buffers, each of a page, have memory.
int resident(io::buffer_pool& pool) {
    int count = 0;
    for (std::uint32_t id = 0; id < pool.limits().count; ++id) {
        unsigned char page = 0;
        const auto bytes = pool.bytes(static_cast<int>(id));
        EXPECT_EQ(::mincore(bytes.data(), bytes.size(), &page), 0);
        count += page & 1;
    }
    return count;
}

TEST_F(pool_test, gives_back_after_a_burst_that_nothing_follows) {
    const auto size = static_cast<std::uint32_t>(::sysconf(_SC_PAGESIZE));
    for (const int most : {64, 20}) {
        io::buffer_pool pool{{.count = 64, .size = size, .at_first = 4}, woken};
        std::vector<int> leased;
        for (int i = 0; i < most; ++i) {
            leased.push_back(pool.take());
            pool.bytes(leased.back())[0] = std::byte{1};
        }
        EXPECT_EQ(resident(pool), most);
        for (const int id : leased) pool.give_back(id);
        // As an engine does, once in a while.
        for (int calls = 0; pool.has_grown(); ++calls) {
            ASSERT_LT(calls, 10);
            pool.shrink();
        }
        EXPECT_LE(resident(pool), 4) << most;
    }
}

TEST_F(pool_test, wakes_one_a_buffer) {
    io::buffer_pool pool{{.count = 2, .size = 100, .at_first = 2}, woken};
    const int a = pool.take();
    const int b = pool.take();
    coro::resumable first;
    coro::resumable second;
    pool.wait(first);
    pool.wait(second);
    EXPECT_EQ(pool.waits(), 2U);
    pool.wake_one();
    EXPECT_TRUE(woken.empty());
    pool.give_back(a);
    EXPECT_EQ(&woken.pop_front(), &first);
    EXPECT_TRUE(woken.empty());
    // The first one went without: the buffer is still at home.
    pool.wake_one();
    EXPECT_EQ(&woken.pop_front(), &second);
    pool.wake_one();
    EXPECT_TRUE(woken.empty());
    pool.give_back(b);
    EXPECT_TRUE(woken.empty());
}

TEST_F(pool_test, leases_move_and_go_home) {
    io::buffer_pool pool{{.count = 2, .size = 100, .at_first = 2}, woken};
    const int id = pool.take();
    std::memcpy(pool.bytes(id).data(), "hello", 5);
    {
        io::lease a{pool, id, 5};
        EXPECT_EQ(a.text(), "hello");
        EXPECT_FALSE(a.empty());
        io::lease b{std::move(a)};
        // NOLINTNEXTLINE(bugprone-use-after-move): what is left is the question
        EXPECT_TRUE(a.empty());
        EXPECT_EQ(a.bytes().size(), 0U);
        EXPECT_EQ(b.text(), "hello");
        io::lease c;
        EXPECT_TRUE(c.empty());
        EXPECT_EQ(c.text(), "");
        c = std::move(b);
        EXPECT_EQ(c.text(), "hello");
        EXPECT_EQ(pool.leased(), 1U);
        c = {};
        EXPECT_EQ(pool.leased(), 0U);
    }
    EXPECT_EQ(pool.leased(), 0U);
}

using pool_death_test = pool_test;

TEST_F(pool_death_test, misuse) {
    EXPECT_DEATH((io::buffer_pool{{.count = 3, .size = 1}, woken}), "a power of two");
    EXPECT_DEATH((io::buffer_pool{{.count = 65536, .size = 1}, woken}), "at most 32,768");
    EXPECT_DEATH((io::buffer_pool{{.count = 1, .size = 0}, woken}), "at least a byte");
    EXPECT_DEATH(([&] {
                     io::buffer_pool pool{{.count = 1, .size = 1}, woken};
                     static_cast<void>(pool.take());
                 })(),
                 "a buffer pool is destroyed before its leases");
    EXPECT_DEATH(([&] {
                     io::buffer_pool pool{{.count = 1, .size = 1}, woken};
                     pool.give_back(0);
                 })(),
                 "a buffer is returned that was not leased");
}

}  // namespace
}  // namespace sluice::test
