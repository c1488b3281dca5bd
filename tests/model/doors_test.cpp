// Several doors under one model: whoever comes in at one is served by its service.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sluice/io/engine.hpp"
#include "sluice/io/mailbox.hpp"
#include "sluice/model/model.hpp"
#include "sluice/net/address.hpp"
#include "sluice/net/listener.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"

namespace sluice::model {
namespace {

/// Sends one letter to whoever comes.
service saying(char what) {
    return [what](guest& client) -> coro::task<void> {
        const std::byte letter{static_cast<unsigned char>(what)};
        static_cast<void>(co_await client.peer().send_all({&letter, 1}));
    };
}

/// Stops a server from another thread.
struct stop_letter : io::letter {
    explicit stop_letter(server& s)
        : letter{[](letter& l) noexcept { static_cast<stop_letter&>(l).owner.stop(); }}, owner{s} {}
    server& owner;
};

struct open_door {
    unique_fd door;
    net::address where;
};

open_door open_one(bool shared) {
    auto door = net::listen(net::address::loopback(0), {.share_port = shared});
    EXPECT_TRUE(door);
    auto where = net::address::local_of(door->get());
    EXPECT_TRUE(where);
    return {.door = std::move(*door), .where = *where};
}

class doors : public testing::TestWithParam<kind> {};

TEST_P(doors, each_has_its_own_service) {
    const bool shared = GetParam() == kind::event;
    auto home = io::make_engine(io::engine_kind::blocking);
    ASSERT_TRUE(home);
    std::vector<entrance> entrances;
    std::vector<net::address> places;
    for (const char letter : {'a', 'b', 'c'}) {
        auto one = open_one(shared);
        places.push_back(one.where);
        entrances.push_back({.door = std::move(one.door), .serve = saying(letter)});
    }
    auto made = make(GetParam(), **home, std::move(entrances),
                     {.engine = io::engine_kind::epoll, .workers = 2});
    ASSERT_TRUE(made);
    stop_letter stop{**made};
    std::string heard;
    std::thread clients{[&] {
        for (int round = 0; round < 3; ++round) {
            for (const auto& where : places) {
                heard += test::read_to_end(test::connect_to(where.port()).get());
            }
        }
        (*home)->post(stop);
    }};
    EXPECT_TRUE((*made)->run());
    clients.join();
    EXPECT_EQ(heard, "abcabcabc");
    EXPECT_EQ((*made)->counted().accepted, 9U);
}

/// Sends a letter and stays until the client goes.
service staying() {
    return [](guest& client) -> coro::task<void> {
        const std::byte letter{'x'};
        static_cast<void>(co_await client.peer().send_all({&letter, 1}));
        std::array<std::byte, 16> room{};
        for (;;) {
            auto got = co_await client.peer().recv_into(room);
            if (!got || *got == 0) break;
        }
    };
}

TEST(shards, have_as_many_clients_each_where_these_stay_long) {
    for (const auto engine : {io::engine_kind::epoll, io::engine_kind::uring}) {
        if (!test::why_not(engine).empty()) continue;
        auto home = io::make_engine(io::engine_kind::blocking);
        ASSERT_TRUE(home);
        auto one = open_one(true);
        std::vector<entrance> entrances;
        entrances.push_back({.door = std::move(one.door), .serve = staying()});
        // A shard that does not stand yet is handed nobody.
        std::promise<void> all_stand;
        auto made = make(kind::event, **home, std::move(entrances),
                         {.engine = engine,
                          .workers = 4,
                          .ready = [&all_stand] { all_stand.set_value(); },
                          .spread_evenly = true});
        ASSERT_TRUE(made);
        stop_letter stop{**made};
        std::thread clients{[&] {
            all_stand.get_future().wait();
            std::vector<unique_fd> all;
            for (int i = 0; i < 32; ++i) {
                all.push_back(test::connect_to(one.where.port()));
                char letter = 0;
                EXPECT_EQ(::recv(all.back().get(), &letter, 1, 0), 1);
            }
            (*home)->post(stop);
        }};
        EXPECT_TRUE((*made)->run());
        clients.join();
        EXPECT_EQ((*made)->spread(), (std::vector<std::uint64_t>{8, 8, 8, 8}));
        EXPECT_EQ((*made)->counted().ended, 32U);
    }
}

INSTANTIATE_TEST_SUITE_P(under, doors,
                         testing::Values(kind::sync, kind::thread, kind::pool, kind::event),
                         [](const auto& p) { return std::string{to_text(p.param)}; });

}  // namespace
}  // namespace sluice::model
