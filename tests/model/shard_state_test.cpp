// State of a service on each shard of the event model: when it is made, drained and destroyed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <future>
#include <memory>
#include <mutex>
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

namespace sluice::test {
namespace {

constexpr std::size_t shards = 2;

/// What happened, in order, on any shard.
class record {
 public:
    void add(std::string_view what, std::size_t shard) {
        const std::lock_guard lock{mutex_};
        events_.push_back(std::string{what} + " " + std::to_string(shard));
    }
    [[nodiscard]] std::vector<std::string> events() const {
        const std::lock_guard lock{mutex_};
        return events_;
    }
    /// Positions of the first and the last event that begin so.
    [[nodiscard]] std::pair<std::size_t, std::size_t> span(std::string_view what) const {
        const auto all = events();
        std::pair found{all.size(), all.size()};
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (!all[i].starts_with(what)) continue;
            found = {std::min(found.first, i), i};
        }
        return found;
    }

 private:
    mutable std::mutex mutex_;
    std::vector<std::string> events_;
};

/// Echoes one byte to each client; at the end of its task it sends a message to the other shard.
class recorded_state final : public model::shard_state {
 public:
    struct note final : io::message {
        note(record& r, std::size_t to_shard)
            : message{[](io::message& m) noexcept {
                  const auto& self = static_cast<note&>(m);
                  self.into.add("message", self.to);
              }},
              into{r},
              to{to_shard} {}
        record& into;
        std::size_t to;
    };

    recorded_state(record& r, const model::shard_place& at,
                   std::array<io::engine*, shards>& engines)
        : record_{r}, place_{at}, engines_{engines}, note_{r, other()} {
        engines_.at(at.index) = &at.engine;
        record_.add("made", at.index);
    }
    recorded_state(const recorded_state&) = delete;
    recorded_state& operator=(const recorded_state&) = delete;
    ~recorded_state() override { record_.add("destroyed", place_.index); }

    coro::task<void> serve(model::accepted_connection client) override {
        record_.add("served", place_.index);
        net::connection peer{place_.engine, std::move(client.socket)};
        std::array<std::byte, 1> byte{};
        auto got = co_await peer.recv_into(byte);
        if (got && *got == 1) static_cast<void>(co_await peer.send_all(byte));
        co_await peer.close();
        record_.add("closed", place_.index);
    }
    coro::task<void> run() override {
        static_cast<void>(co_await io::sleep_until{place_.engine, io::never});
        engines_.at(other())->post(note_);
        record_.add("run ended", place_.index);
    }
    void drain() noexcept override { record_.add("drain", place_.index); }
    void sessions_ended() noexcept override { record_.add("sessions ended", place_.index); }

 private:
    [[nodiscard]] std::size_t other() const noexcept { return 1 - place_.index; }

    record& record_;
    model::shard_place place_;
    std::array<io::engine*, shards>& engines_;
    note note_;
};

std::vector<model::endpoint> one_endpoint(model::state_factory state, net::address& where) {
    auto listener = net::listen(net::address::loopback(0), {.share_port = true});
    EXPECT_TRUE(listener);
    where = net::address::local_of(listener->get()).value();
    std::vector<model::endpoint> all;
    all.push_back({.listener = std::move(*listener), .state = std::move(state)});
    return all;
}

class shard_state : public ::testing::TestWithParam<flavour> {};

TEST_P(shard_state, stands_before_the_first_session_and_until_all_is_delivered) {
    if (auto why = why_not(GetParam().kind); !why.empty()) GTEST_SKIP() << why;
    record seen;
    std::array<io::engine*, shards> engines{};
    net::address where;
    auto endpoints = one_endpoint(
        [&](const model::shard_place& at) {
            return std::make_unique<recorded_state>(seen, at, engines);
        },
        where);
    std::promise<void> ready;
    io::engine* control = nullptr;
    model::server* server = nullptr;
    std::thread serving{[&] {
        auto engine = io::make_engine(io::engine_kind::blocking);
        auto made = model::make(model::kind::event, **engine, std::move(endpoints),
                                {.engine = GetParam().kind, .workers = shards, .ready = [&ready] {
                                     ready.set_value();
                                 }});
        control = engine->get();
        server = made->get();
        EXPECT_TRUE((*made)->run());
    }};
    ready.get_future().wait();
    // One is served to its end before the stop, the other is served across it.
    unique_fd first = connect_to(where.port());
    unique_fd second = connect_to(where.port());
    write_all(first.get(), "x");
    EXPECT_EQ(read_to_end(first.get()), "x");
    while (seen.span("served").first == seen.span("served").second) std::this_thread::yield();
    struct stop_message : io::message {
        explicit stop_message(model::server& s)
            : message{[](io::message& m) noexcept { static_cast<stop_message&>(m).owner.stop(); }},
              owner{s} {}
        model::server& owner;
    } stop{*server};
    control->post(stop);
    while (seen.span("drain").first == seen.span("drain").second) std::this_thread::yield();
    write_all(second.get(), "y");
    EXPECT_EQ(read_to_end(second.get()), "y");
    serving.join();

    EXPECT_LT(seen.span("made").second, seen.span("served").first);
    EXPECT_LT(seen.span("run ended").second, seen.span("drain").first);
    for (const char* shard : {" 0", " 1"}) {
        EXPECT_LT(seen.span(std::string{"message"} + shard).second,
                  seen.span(std::string{"drain"} + shard).first);
    }
    EXPECT_LT(seen.span("closed").second, seen.span("sessions ended").second);
    EXPECT_LT(seen.span("sessions ended").second, seen.span("destroyed").first);
    EXPECT_EQ(seen.events().size(), 2 * shards + 2 * shards + 2 * shards + 2 * shards)
        << ::testing::PrintToString(seen.events());
}

TEST_P(shard_state, one_that_cannot_be_made_ends_the_server) {
    if (auto why = why_not(GetParam().kind); !why.empty()) GTEST_SKIP() << why;
    record seen;
    std::array<io::engine*, shards> engines{};
    net::address where;
    auto endpoints = one_endpoint(
        [&](const model::shard_place& at) -> std::unique_ptr<model::shard_state> {
            if (at.index == 1) throw std::bad_alloc{};
            return std::make_unique<recorded_state>(seen, at, engines);
        },
        where);
    auto engine = io::make_engine(io::engine_kind::blocking);
    auto made = model::make(model::kind::event, **engine, std::move(endpoints),
                            {.engine = GetParam().kind, .workers = shards});
    const auto done = (*made)->run();
    ASSERT_FALSE(done);
    EXPECT_TRUE(done.error().is(ENOMEM));
    EXPECT_THAT(seen.events(), ::testing::ElementsAre("made 0", "destroyed 0"));
}

INSTANTIATE_TEST_SUITE_P(on, shard_state, ::testing::ValuesIn(every_loop()), engine_name);

TEST(shard_state_elsewhere, is_refused_with_a_reason) {
    auto engine = io::make_engine(io::engine_kind::blocking);
    for (const auto which : {model::kind::sync, model::kind::thread, model::kind::pool}) {
        net::address where;
        auto endpoints = one_endpoint(
            [](const model::shard_place&) { return std::unique_ptr<model::shard_state>{}; }, where);
        const auto made = model::make(which, **engine, std::move(endpoints), {});
        ASSERT_FALSE(made);
        EXPECT_THAT(made.error(), ::testing::HasSubstr("use event"));
    }
}

}  // namespace
}  // namespace sluice::test
