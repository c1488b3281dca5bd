// Connections of trusted proxies: whose they are, how long that is waited for, and limits.
#include "sluice/model/announced.hpp"

#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sluice/io/deadline.hpp"
#include "sluice/io/mailbox.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/model/make.hpp"
#include "sluice/model/model.hpp"
#include "sluice/net/address.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/net/listener.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"

namespace sluice::model {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using step = announcement::step;

const auto from_text = "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n"s;
const auto from_binary =
    "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f\xc0\0\x02\x01\xc6\x33\x64\x07\xdc\x04\x01\xbb\x20\0\0"s;
const auto from_proxy = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"s;

std::string shown(announcement& said) {
    const auto client = said.client();
    return client ? client->to_string() : "the proxy";
}

/// As its callers do it: once the socket can be read.
step advance(announcement& said, int socket) {
    pollfd wanted{.fd = socket, .events = POLLIN, .revents = 0};
    return ::poll(&wanted, 1, 5) == 1 ? said.advance(socket) : step::waits;
}

TEST(announcement, names_the_client_and_leaves_what_follows) {
    for (const auto& header : {from_text, from_binary, from_proxy}) {
        const auto pair = test::tcp_pair();
        announcement said;
        EXPECT_EQ(said.advance(pair.ours.get()), step::waits);
        test::write_all(pair.theirs.get(), header + "hello");
        EXPECT_EQ(said.advance(pair.ours.get()), step::served);
        EXPECT_EQ(shown(said), header == from_proxy ? "the proxy" : "192.0.2.1:56324");
        EXPECT_EQ(test::read_exactly(pair.ours.get(), 5), "hello");
    }
}

TEST(announcement, is_put_together_of_single_bytes) {
    for (const auto& header : {from_text, from_binary, from_proxy}) {
        const auto pair = test::tcp_pair();
        const int on = 1;
        ::setsockopt(pair.theirs.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        announcement said;
        auto now = step::waits;
        std::size_t sent = 0;
        for (const char byte : header + "x") {
            EXPECT_EQ(now, step::waits) << sent;
            test::write_all(pair.theirs.get(), {&byte, 1});
            ++sent;
            if (sent < header.size()) {
                now = advance(said, pair.ours.get());
            } else if (sent == header.size()) {
                while (now == step::waits) now = advance(said, pair.ours.get());
                EXPECT_EQ(now, step::served);
                now = step::waits;
            }
        }
        EXPECT_EQ(test::read_exactly(pair.ours.get(), 1), "x");
    }
}

TEST(announcement, leaves_a_client_that_has_no_header_all_of_its_bytes) {
    for (const auto* const text : {"GET / HTTP/1.1\r\n", "PUT", "PROXY\n", "\r\n\r\n!"}) {
        const auto pair = test::tcp_pair();
        test::write_all(pair.theirs.get(), text);
        announcement said;
        const auto now = said.advance(pair.ours.get());
        EXPECT_EQ(now, step::served) << text;
        EXPECT_EQ(shown(said), "the proxy");
        EXPECT_EQ(test::read_what_is_there(pair.ours.get()), text);
    }
}

TEST(announcement, waits_in_vain_for_a_client_that_says_little) {
    for (const auto* const text : {"", "P", "PROXY", "\r\n", "\r\n\r\n"}) {
        const auto pair = test::tcp_pair();
        test::write_all(pair.theirs.get(), text);
        announcement said;
        EXPECT_EQ(said.advance(pair.ours.get()), step::waits) << text;
        EXPECT_EQ(said.give_up(pair.ours.get()), step::served) << text;
        EXPECT_EQ(test::read_what_is_there(pair.ours.get()), text);
    }
}

TEST(announcement, fails_where_the_header_does) {
    const auto after = [](const std::string& text, bool ends) {
        auto pair = test::tcp_pair();
        test::write_all(pair.theirs.get(), text);
        announcement said;
        auto now = said.advance(pair.ours.get());
        if (ends) {
            ::shutdown(pair.theirs.get(), SHUT_WR);
            while (now == step::waits) now = advance(said, pair.ours.get());
        } else if (now == step::waits) {
            now = said.give_up(pair.ours.get());
        }
        return now == step::failed ? std::string{said.why()} : "served";
    };
    EXPECT_EQ(after("PROXY TCP4 nowhere\r\n", false), "malformed");
    EXPECT_EQ(after("PROXY UNKNOWN " + std::string(100, 'x'), false), "too long");
    EXPECT_EQ(after(from_text.substr(0, 20), false), "not whole");
    EXPECT_EQ(after(from_text.substr(0, 20), true), "not whole");
    EXPECT_EQ(after(from_binary.substr(0, 12), true), "not whole");
    EXPECT_EQ(after(from_binary.substr(0, 16), true), "not whole");
    EXPECT_EQ(after(from_binary.substr(0, 11), true), "served");
    EXPECT_EQ(after("", true), "served");
}

TEST(announcement, of_a_client_that_resets_fails_without_a_reason) {
    auto pair = test::tcp_pair();
    test::reset_at_close(pair.theirs.get());
    pair.theirs.reset();
    announcement said;
    auto now = step::waits;
    while (now == step::waits) now = advance(said, pair.ours.get());
    EXPECT_EQ(now, step::failed);
    EXPECT_EQ(said.why(), "");
}

class proxied : public testing::TestWithParam<std::pair<kind, io::engine_kind>> {
 protected:
    void SetUp() override {
        const auto why = test::why_not(GetParam().second);
        if (!why.empty()) GTEST_SKIP() << why;
    }

    struct stop_message : io::message {
        explicit stop_message(server& s)
            : message{[](message& m) noexcept { static_cast<stop_message&>(m).owner.stop(); }},
              owner{s} {}
        server& owner;
    };

    /// Serves to each client its address, and calls `talk` with the port meanwhile.
    void serve(server_options options, const std::function<void(std::uint16_t)>& talk) {
        const auto [model, engine] = GetParam();
        auto control = io::make_engine(io::engine_kind::blocking);
        ASSERT_TRUE(control);
        auto listener =
            net::listen(net::address::loopback(0), {.share_port = model == kind::event});
        ASSERT_TRUE(listener);
        const auto port = net::address::local_of(listener->get())->port();
        const auto tell = [](session& client) -> coro::task<void> {
            const auto who = client.address();
            const std::string text = who ? who->with_port(0).to_string() + "\n" : "gone\n";
            static_cast<void>(co_await client.peer().send_all(std::string_view{text}));
            // Until it leaves.
            static_cast<void>(co_await io::with_deadline(client.engine(),
                                                         client.peer().recv(client.drain_context()),
                                                         io::after(io::clock::now(), 30s)));
        };
        std::vector<endpoint> endpoints;
        endpoints.push_back({.listener = std::move(*listener), .serve = tell});
        if (has_state_) {
            endpoints.front().state = [](const shard_place& at) {
                return std::make_unique<greeter>(at.engine);
            };
        }
        options.engine = engine;
        options.workers = 2;
        options.trusted_proxies = {*net::network::parse("127.0.0.1")};
        options.log_to = [this](std::string_view line) { log_ += std::string{line} + "\n"; };
        auto made = make(model, **control, std::move(endpoints), std::move(options));
        ASSERT_TRUE(made);
        stop_message stop{**made};
        std::thread clients{[&] {
            talk(port);
            (*control)->post(stop);
        }};
        EXPECT_TRUE((*made)->run());
        clients.join();
        announced_ = (*made)->counted().announced;
        bad_headers_ = (*made)->counted().bad_headers;
        refused_ = (*made)->counted().refused;
    }

    /// The state of a service that says "hello" to each client.
    class greeter final : public shard_state {
     public:
        explicit greeter(io::engine& engine) : engine_{engine} {}
        coro::task<void> serve(accepted_connection client) override {
            net::connection peer{engine_, std::move(client.socket)};
            static_cast<void>(co_await peer.send_all(std::string_view{"hello"}));
            co_await peer.close();
        }
        coro::task<void> run() override {
            static_cast<void>(co_await io::sleep_until{engine_, io::never});
        }
        void drain() noexcept override {}
        void sessions_ended() noexcept override {}

     private:
        io::engine& engine_;
    };

    static std::string ask(std::uint16_t port, std::string_view first) {
        const auto client = test::connect_to(port);
        test::write_all(client.get(), first);
        std::string line;
        for (char byte = 0; ::recv(client.get(), &byte, 1, 0) == 1 && byte != '\n';) line += byte;
        return line;
    }

    bool has_state_ = false;
    std::string log_;
    std::uint64_t announced_ = 0;
    std::uint64_t bad_headers_ = 0;
    std::uint64_t refused_ = 0;
};

TEST_P(proxied, sees_the_address_that_the_proxy_names) {
    serve({}, [](std::uint16_t port) {
        EXPECT_EQ(ask(port, from_text), "192.0.2.1:0");
        EXPECT_EQ(ask(port, from_binary), "192.0.2.1:0");
        EXPECT_EQ(ask(port, from_proxy), "127.0.0.1:0");
        EXPECT_EQ(ask(port, "PROXY UNKNOWN\r\n"), "127.0.0.1:0");
        EXPECT_EQ(ask(port, "hello"), "127.0.0.1:0");
    });
    EXPECT_EQ(announced_, 2U);
    EXPECT_EQ(log_, "");
}

TEST_P(proxied, waits_so_long_for_a_header_and_no_longer) {
    serve({.header_time = 100ms}, [](std::uint16_t port) {
        EXPECT_EQ(ask(port, ""), "127.0.0.1:0");
        EXPECT_EQ(ask(port, "PROXY"), "127.0.0.1:0");
        EXPECT_EQ(ask(port, "PROXY "), "");
        EXPECT_EQ(ask(port, from_binary.substr(0, 20)), "");
    });
    EXPECT_EQ(bad_headers_, 2U);
    EXPECT_NE(log_.find("for its PROXY header is not whole"), std::string::npos) << log_;
}

TEST_P(proxied, serves_others_while_it_waits_for_a_header) {
    serve({.header_time = 1min}, [](std::uint16_t port) {
        const auto silent = test::connect_to(port);
        const auto slow = test::connect_to(port);
        test::write_all(slow.get(), from_text.substr(0, 10));
        EXPECT_EQ(ask(port, from_text), "192.0.2.1:0");
        test::write_all(slow.get(), from_text.substr(10));
        EXPECT_EQ(test::read_exactly(slow.get(), 12), "192.0.2.1:0\n");
        // A stop waits for none of them.
    });
}

TEST_P(proxied, counts_a_connection_that_waits_as_a_client) {
    if (GetParam().first == kind::sync) GTEST_SKIP() << "one client is served at a time";
    serve({.max_clients = 2, .header_time = 1min}, [](std::uint16_t port) {
        auto silent = test::connect_to(port);
        auto another = test::connect_to(port);
        std::this_thread::sleep_for(50ms);
        const auto third = test::connect_to(port);
        test::write_all(third.get(), "PROXY TCP4 192.0.2.2 198.51.100.7 1 2\r\n");
        std::this_thread::sleep_for(50ms);
        EXPECT_EQ(test::read_what_is_there(third.get()), "");
        // One that is served is still one of two; one that left makes way.
        test::write_all(silent.get(), from_binary);
        EXPECT_EQ(test::read_exactly(silent.get(), 12), "192.0.2.1:0\n");
        EXPECT_EQ(test::read_what_is_there(third.get()), "");
        another.reset();
        EXPECT_EQ(test::read_exactly(third.get(), 12), "192.0.2.2:0\n");
    });
}

TEST_P(proxied, waits_for_as_many_headers_as_there_may_be_clients_of_a_service_with_state) {
    if (GetParam().first != kind::event) GTEST_SKIP() << "there is no state under another model";
    has_state_ = true;
    serve({.max_clients = 2, .header_time = 1min}, [](std::uint16_t port) {
        const auto silent = test::connect_to(port);
        const auto another = test::connect_to(port);
        std::this_thread::sleep_for(50ms);
        const auto third = test::connect_to(port);
        test::write_all(third.get(), "PROXY TCP4 192.0.2.2 198.51.100.7 1 2\r\n");
        std::this_thread::sleep_for(50ms);
        EXPECT_EQ(test::read_what_is_there(third.get()), "");
        test::write_all(silent.get(), from_text);
        EXPECT_EQ(test::read_to_end(silent.get()), "hello");
        EXPECT_EQ(test::read_to_end(third.get()), "hello");
    });
}

TEST_P(proxied, limits_the_address_that_is_announced_and_no_proxy) {
    if (GetParam().first == kind::sync) GTEST_SKIP() << "one client is served at a time";
    serve({.max_per_address = 1}, [](std::uint16_t port) {
        const auto first = test::connect_to(port);
        test::write_all(first.get(), from_text);
        EXPECT_EQ(test::read_exactly(first.get(), 12), "192.0.2.1:0\n");
        EXPECT_EQ(ask(port, from_binary), "");
        const auto other = test::connect_to(port);
        test::write_all(other.get(), "PROXY TCP4 192.0.2.2 198.51.100.7 1 2\r\n");
        EXPECT_EQ(test::read_exactly(other.get(), 12), "192.0.2.2:0\n");
        const auto own = test::connect_to(port);
        test::write_all(own.get(), from_proxy);
        EXPECT_EQ(test::read_exactly(own.get(), 12), "127.0.0.1:0\n");
        EXPECT_EQ(ask(port, from_proxy), "127.0.0.1:0");
    });
    EXPECT_EQ(refused_, 1U);
    EXPECT_NE(log_.find("(--rate-per-address): 192.0.2.1:56324"), std::string::npos) << log_;
}

INSTANTIATE_TEST_SUITE_P(under, proxied,
                         testing::Values(std::pair{kind::sync, io::engine_kind::blocking},
                                         std::pair{kind::thread, io::engine_kind::blocking},
                                         std::pair{kind::pool, io::engine_kind::blocking},
                                         std::pair{kind::event, io::engine_kind::epoll},
                                         std::pair{kind::event, io::engine_kind::uring}),
                         [](const auto& each) {
                             return std::string{to_text(each.param.first)} + "_" +
                                    std::string{io::to_text(each.param.second)};
                         });

}  // namespace
}  // namespace sluice::model
