// Several endpoints under one model: a client of one is served by its service.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sluice/io/engine.hpp"
#include "sluice/io/mailbox.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/model/make.hpp"
#include "sluice/model/model.hpp"
#include "sluice/net/address.hpp"
#include "sluice/net/listener.hpp"
#include "sluice/os/linux_kernel.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"

namespace sluice::model {
namespace {

/// Sends one byte to each client.
service saying(char what) {
    return [what](session& client) -> coro::task<void> {
        const std::byte message{static_cast<unsigned char>(what)};
        static_cast<void>(co_await client.peer().send_all({&message, 1}));
    };
}

/// Stops a server from another thread.
struct stop_message : io::message {
    explicit stop_message(server& s)
        : message{[](message& l) noexcept { static_cast<stop_message&>(l).owner.stop(); }},
          owner{s} {}
    server& owner;
};

struct open_listener {
    unique_fd listener;
    net::address where;
};

open_listener open_one(bool shared) {
    auto listener = net::listen(net::address::loopback(0), {.share_port = shared});
    EXPECT_TRUE(listener);
    auto where = net::address::local_of(listener->get());
    EXPECT_TRUE(where);
    return {.listener = std::move(*listener), .where = *where};
}

class listeners : public testing::TestWithParam<kind> {};

TEST_P(listeners, each_has_its_own_service) {
    const bool shared = GetParam() == kind::event;
    auto control = io::make_engine(io::engine_kind::blocking);
    ASSERT_TRUE(control);
    std::vector<endpoint> endpoints;
    std::vector<net::address> places;
    for (const char message : {'a', 'b', 'c'}) {
        auto one = open_one(shared);
        places.push_back(one.where);
        endpoints.push_back({.listener = std::move(one.listener), .serve = saying(message)});
    }
    auto made = make(GetParam(), **control, std::move(endpoints),
                     {.engine = io::engine_kind::epoll, .workers = 2});
    ASSERT_TRUE(made);
    stop_message stop{**made};
    std::string received;
    std::thread clients{[&] {
        for (int round = 0; round < 3; ++round) {
            for (const auto& where : places) {
                received += test::read_to_end(test::connect_to(where.port()).get());
            }
        }
        (*control)->post(stop);
    }};
    EXPECT_TRUE((*made)->run());
    clients.join();
    EXPECT_EQ(received, "abcabcabc");
    EXPECT_EQ((*made)->counted().accepted, 9U);
}

TEST_P(listeners, all_sockets_of_one_endpoint_are_served) {
    auto control = io::make_engine(io::engine_kind::blocking);
    ASSERT_TRUE(control);
    // Two sockets for three shards, with ports of their own, so that each is known to be served.
    auto first = open_one(true);
    auto second = open_one(true);
    const std::array places{first.where, second.where};
    std::vector<endpoint> endpoints;
    endpoints.push_back(
        {.listener = std::move(first.listener), .is_complete = true, .serve = saying('a')});
    endpoints.front().more.push_back(std::move(second.listener));
    auto made = make(GetParam(), **control, std::move(endpoints),
                     {.engine = io::engine_kind::epoll, .workers = 3});
    ASSERT_TRUE(made);
    stop_message stop{**made};
    std::string received;
    std::thread clients{[&] {
        for (int round = 0; round < 10; ++round) {
            for (const auto& where : places) {
                received += test::read_to_end(test::connect_to(where.port()).get());
            }
        }
        (*control)->post(stop);
    }};
    EXPECT_TRUE((*made)->run());
    clients.join();
    EXPECT_EQ(received, std::string(20, 'a'));
}

/// Linux that has no descriptor for the first connection.
class one_shortage final : public os::linux_kernel {
 public:
    int accept4(int fd, sockaddr* peer, socklen_t* size, int flags) noexcept override {
        return had_.exchange(true) ? linux_kernel::accept4(fd, peer, size, flags) : -EMFILE;
    }

 private:
    std::atomic<bool> had_ = false;
};

TEST_P(listeners, a_shortage_at_one_leaves_the_others_open) {
    one_shortage linux;
    const os::kernel_in_place in_place{linux};
    auto control = io::make_engine(io::engine_kind::blocking);
    ASSERT_TRUE(control);
    std::vector<endpoint> endpoints;
    std::vector<net::address> places;
    for (const char message : {'a', 'b'}) {
        auto one = open_one(GetParam() == kind::event);
        places.push_back(one.where);
        endpoints.push_back({.listener = std::move(one.listener), .serve = saying(message)});
    }
    auto made = make(GetParam(), **control, std::move(endpoints),
                     {.engine = io::engine_kind::epoll, .workers = 2});
    ASSERT_TRUE(made);
    stop_message stop{**made};
    std::string received;
    std::thread clients{[&] {
        // This one is turned away, and no other comes to its endpoint.
        received += test::read_to_end(test::connect_to(places[1].port()).get());
        const auto peer = test::connect_to(places[0].port());
        constexpr timeval long_enough{.tv_sec = 20, .tv_usec = 0};
        ::setsockopt(peer.get(), SOL_SOCKET, SO_RCVTIMEO, &long_enough, sizeof long_enough);
        received += test::read_to_end(peer.get());
        (*control)->post(stop);
    }};
    EXPECT_TRUE((*made)->run());
    clients.join();
    // A shard asks before there is a client, and turns none away.
    EXPECT_EQ(received, GetParam() == kind::event ? "ba" : "a");
}

/// Sends a byte and keeps the connection until the client goes.
service keeping() {
    return [](session& client) -> coro::task<void> {
        const std::byte message{'x'};
        static_cast<void>(co_await client.peer().send_all({&message, 1}));
        std::array<std::byte, 16> buffer{};
        for (;;) {
            auto got = co_await client.peer().recv_into(buffer);
            if (!got || *got == 0) break;
        }
    };
}

TEST(shards, have_as_many_clients_each_where_connections_last) {
    for (const auto engine : {io::engine_kind::epoll, io::engine_kind::uring}) {
        if (!test::why_not(engine).empty()) continue;
        auto control = io::make_engine(io::engine_kind::blocking);
        ASSERT_TRUE(control);
        auto one = open_one(true);
        std::vector<endpoint> endpoints;
        endpoints.push_back({.listener = std::move(one.listener), .serve = keeping()});
        // A shard that has not started yet is handed no connection.
        std::promise<void> all_started;
        auto made = make(kind::event, **control, std::move(endpoints),
                         {.engine = engine,
                          .workers = 4,
                          .ready = [&all_started] { all_started.set_value(); },
                          .spread_evenly = true});
        ASSERT_TRUE(made);
        stop_message stop{**made};
        std::thread clients{[&] {
            all_started.get_future().wait();
            std::vector<unique_fd> all;
            for (int i = 0; i < 32; ++i) {
                all.push_back(test::connect_to(one.where.port()));
                char message = 0;
                EXPECT_EQ(::recv(all.back().get(), &message, 1, 0), 1);
            }
            (*control)->post(stop);
        }};
        EXPECT_TRUE((*made)->run());
        clients.join();
        EXPECT_EQ((*made)->spread(), (std::vector<std::uint64_t>{8, 8, 8, 8}));
        EXPECT_EQ((*made)->counted().ended, 32U);
    }
}

INSTANTIATE_TEST_SUITE_P(under, listeners,
                         testing::Values(kind::sync, kind::thread, kind::pool, kind::event),
                         [](const auto& p) { return std::string{to_text(p.param)}; });

}  // namespace
}  // namespace sluice::model
