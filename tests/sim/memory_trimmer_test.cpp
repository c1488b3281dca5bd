// The memory of clients that come and go is given back, and how often: in virtual time.
#include "sluice/model/memory_trimmer.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include "sluice/io/deadline.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/io/run.hpp"
#include "tests/sim/rig.hpp"
#include "tests/support/resident.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

/// What is in use of 16 MiB of the heap, once the rest has been freed between it.
using remains = std::vector<std::unique_ptr<std::array<char, 4000>>>;
remains fragmented() {
    remains all;
    for (std::size_t i = 0; i < 16 * mib / 4000; ++i) {
        all.push_back(std::make_unique<std::array<char, 4000>>());
        all.back()->fill('x');
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (i % 16 != 0) all[i].reset();
    }
    return all;
}

coro::task<> clients_come_and_go(io::engine& e) {
    model::memory_trimmer trimmer{e};
    const auto leave = [&trimmer](std::uint64_t clients) {
        trimmer.update(1'000);
        trimmer.update(1'000 - clients);
    };

    co_await io::sleep_for(e, 1min);  // since the other engine's last
    const auto first = fragmented();
    auto full = resident();
    leave(200);
    co_await io::sleep_for(e, 2s);
    EXPECT_GT(resident() + mib, full) << "given back for few";
    leave(100);
    co_await io::sleep_for(e, 2s);
    EXPECT_LT(resident() + 8 * mib, full);

    const auto second = fragmented();
    full = resident();
    leave(300);
    co_await io::sleep_for(e, 50s);
    EXPECT_GT(resident() + mib, full) << "again within a minute";
    co_await io::sleep_for(e, 10s);
    leave(1);
    co_await io::sleep_for(e, 2s);
    EXPECT_LT(resident() + 8 * mib, full);
}

TEST(memory_trimmer, gives_back_what_lies_free_between_clients_once_a_minute) {
    in_world(quiet(1), [](sim::world&) {
        for (const auto kind : {io::engine_kind::epoll, io::engine_kind::uring}) {
            const auto engine = io::make_engine(kind);
            ASSERT_TRUE(engine);
            io::run(**engine, clients_come_and_go(**engine));
        }
    });
}

}  // namespace
}  // namespace sluice::test
