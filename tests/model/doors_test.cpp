// Several doors under one model: whoever comes in at one is served by its service.
#include <gtest/gtest.h>

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

INSTANTIATE_TEST_SUITE_P(under, doors,
                         testing::Values(kind::sync, kind::thread, kind::pool, kind::event),
                         [](const auto& p) { return std::string{to_text(p.param)}; });

}  // namespace
}  // namespace sluice::model
