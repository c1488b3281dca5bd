// Receiving when buffers are short: readers wait for one, each gets its turn, and nothing is lost.
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/net/connection.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/steps.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

/// A connection on an engine, and the other end of it.
struct session {
    session(io::engine& e, socket_pair pair)
        : theirs{std::move(pair.theirs)}, connection{e, std::move(pair.ours)} {}
    unique_fd theirs;
    net::connection connection;
};

class pool_contract : public engine_test {
 protected:
    void SetUp() override {
        engine_test::SetUp();
        options.buffers = {.count = 1, .size = 64, .at_first = 1};
    }
    std::unique_ptr<session> new_session() {
        return std::make_unique<session>(engine(), local_pair());
    }
    coro::task<> turns(int count) {
        for (int i = 0; i < count; ++i) co_await io::sleep_for(engine(), 0ms);
    }
    /// Takes one lease and releases it.
    coro::task<> read_once(session& g, std::string& seen) {
        auto got = co_await g.connection.recv();
        seen = shown(got);
    }
    coro::task<> read_once(session& g, std::string& seen, io::time_point until) {
        auto got = co_await io::with_deadline(engine(), g.connection.recv(), until);
        seen = shown(got);
    }
};
INSTANTIATE_TEST_SUITE_P(on, pool_contract, ::testing::ValuesIn(every_loop()), engine_name);

TEST_P(pool_contract, peers_that_send_much_and_are_not_read_leave_buffers_for_others) {
    options.buffers = {.count = 8, .size = 64, .at_first = 8};
    run([&]() -> coro::task<> {
        std::vector<std::unique_ptr<session>> sessions;
        std::vector<io::lease> held;
        for (int i = 0; i < 3; ++i) {
            sessions.push_back(new_session());
            write_all(sessions.back()->theirs.get(), pattern(20 * 64));
            auto got = co_await sessions.back()->connection.recv();
            EXPECT_EQ(got->bytes().size(), 64U);
            held.push_back(std::move(*got));
        }
        auto newcomer = new_session();
        write_all(newcomer->theirs.get(), "hello");
        std::string seen;
        co_await read_once(*newcomer, seen, io::after(io::clock::now(), 5s));
        EXPECT_EQ(seen, "hello");
        held.clear();
        for (auto& g : sessions) co_await g->connection.close();
        co_await newcomer->connection.close();
    });
}

TEST_P(pool_contract, a_lease_that_dies_wakes_one_who_waits) {
    run([&]() -> coro::task<> {
        auto a = new_session();
        auto b = new_session();
        write_all(a->theirs.get(), "first");
        write_all(b->theirs.get(), "second");
        auto held = co_await a->connection.recv();
        EXPECT_EQ(shown(held), "first");
        std::string seen;
        coro::scope reader{co_await coro::this_context()};
        reader.spawn(read_once(*b, seen));
        co_await turns(3);
        EXPECT_EQ(seen, "");
        EXPECT_GE(engine().counters().buffer_waits, 1U);
        held = {};
        co_await reader.join();
        EXPECT_EQ(seen, "second");
        co_await a->connection.close();
        co_await b->connection.close();
    });
}

TEST_P(pool_contract, waiting_costs_no_turns) {
    run([&]() -> coro::task<> {
        auto a = new_session();
        auto b = new_session();
        write_all(a->theirs.get(), "first");
        write_all(b->theirs.get(), "second");
        auto held = co_await a->connection.recv();
        std::string seen;
        coro::scope reader{co_await coro::this_context()};
        reader.spawn(read_once(*b, seen));
        co_await turns(3);
        const auto before = engine().counters().turns;
        co_await io::sleep_for(engine(), 20ms);
        EXPECT_LT(engine().counters().turns - before, 5U);
        held = {};
        co_await reader.join();
        co_await a->connection.close();
        co_await b->connection.close();
    });
}

TEST_P(pool_contract, many_readers_share_two_buffers) {
    options.buffers = {.count = 2, .size = 64, .at_first = 1};
    constexpr std::size_t readers = 20;
    const std::string text = pattern(2000);
    std::vector<std::string> got(readers);
    run([&]() -> coro::task<> {
        std::vector<std::unique_ptr<session>> sessions;
        coro::scope all{co_await coro::this_context()};
        auto read = [](io::engine& e, session& g, std::string& into) -> coro::task<> {
            for (;;) {
                auto lease = co_await g.connection.recv();
                EXPECT_TRUE(lease) << shown(lease);
                if (!lease || lease->empty()) co_return;
                // Held across turns, so that the others run out.
                co_await io::sleep_for(e, 0ms);
                into += lease->text();
            }
        };
        for (std::size_t i = 0; i < readers; ++i) {
            sessions.push_back(new_session());
            write_all(sessions.back()->theirs.get(), text);
            sessions.back()->theirs.reset();
            all.spawn(read(engine(), *sessions.back(), got[i]));
        }
        co_await all.join();
        for (auto& g : sessions) co_await g->connection.close();
    });
    EXPECT_THAT(got, ::testing::Each(text));
    EXPECT_GT(engine().counters().buffer_waits, 0U);
}

TEST_P(pool_contract, the_end_needs_no_buffer_of_another_one) {
    run([&]() -> coro::task<> {
        auto a = new_session();
        auto b = new_session();
        write_all(a->theirs.get(), "first");
        auto held = co_await a->connection.recv();
        EXPECT_EQ(shown(held), "first");
        held = {};
        b->theirs.reset();
        auto end = co_await b->connection.recv();
        EXPECT_EQ(shown(end), "(end)");
        co_await a->connection.close();
        co_await b->connection.close();
    });
}

TEST_P(pool_contract, a_deadline_ends_the_wait_for_a_buffer) {
    run([&]() -> coro::task<> {
        auto a = new_session();
        auto b = new_session();
        write_all(a->theirs.get(), "first");
        write_all(b->theirs.get(), "second");
        auto held = co_await a->connection.recv();
        EXPECT_EQ(shown(held), "first");
        auto late = co_await io::with_timeout(engine(), b->connection.recv(), 2ms);
        EXPECT_EQ(shown(late), "(the deadline passed)");
        held = {};
        auto got = co_await b->connection.recv();
        EXPECT_EQ(shown(got), "second");
        co_await a->connection.close();
        co_await b->connection.close();
    });
}

TEST_P(pool_contract, who_was_woken_and_gives_up_wakes_the_next) {
    run([&]() -> coro::task<> {
        auto a = new_session();
        auto b = new_session();
        auto c = new_session();
        for (auto* g : {a.get(), b.get(), c.get()}) write_all(g->theirs.get(), "words");
        auto held = co_await a->connection.recv();
        EXPECT_EQ(shown(held), "words");
        std::string seen_b;
        std::string seen_c;
        coro::scope first{co_await coro::this_context()};
        coro::scope second{co_await coro::this_context()};
        first.spawn(read_once(*b, seen_b));
        co_await turns(3);
        second.spawn(read_once(*c, seen_c));
        co_await turns(3);
        // The buffer is returned, the first in line is woken for it, and cancelled before its turn.
        held = {};
        first.cancel();
        co_await first.join();
        co_await second.join();
        EXPECT_TRUE(seen_b == "(cancelled)" || seen_b == "words") << seen_b;
        EXPECT_EQ(seen_c, "words");
        for (auto* g : {a.get(), b.get(), c.get()}) co_await g->connection.close();
    });
}

TEST_P(pool_contract, who_was_woken_and_finds_a_reset_wakes_the_next) {
    run([&]() -> coro::task<> {
        auto a = new_session();
        auto b = std::make_unique<session>(engine(), tcp_pair());
        auto c = new_session();
        for (auto* g : {a.get(), b.get(), c.get()}) write_all(g->theirs.get(), "words");
        auto held = co_await a->connection.recv();
        EXPECT_EQ(shown(held), "words");
        std::string seen_b;
        std::string seen_c;
        coro::scope readers{co_await coro::this_context()};
        readers.spawn(read_once(*b, seen_b));
        co_await turns(3);
        readers.spawn(read_once(*c, seen_c));
        co_await turns(3);
        reset_at_close(b->theirs.get());
        b->theirs.reset();
        held = {};
        co_await readers.join();
        EXPECT_TRUE(seen_b == "(connection reset by peer)" || seen_b == "words") << seen_b;
        EXPECT_EQ(seen_c, "words");
        for (auto* g : {a.get(), b.get(), c.get()}) co_await g->connection.close();
    });
}

TEST_P(pool_contract, who_was_woken_and_finds_nothing_wakes_the_next) {
    run([&]() -> coro::task<> {
        auto a = new_session();
        auto b = new_session();
        auto c = new_session();
        const unique_fd other{::dup(b->connection.fd())};
        for (auto* g : {a.get(), b.get(), c.get()}) write_all(g->theirs.get(), "words");
        auto held = co_await a->connection.recv();
        EXPECT_EQ(shown(held), "words");
        std::string seen_b;
        std::string seen_c;
        coro::scope first{co_await coro::this_context()};
        coro::scope second{co_await coro::this_context()};
        first.spawn(read_once(*b, seen_b));
        co_await turns(3);
        second.spawn(read_once(*c, seen_c));
        co_await turns(3);
        EXPECT_EQ(read_what_is_there(other.get()), "words");
        held = {};
        co_await second.join();
        EXPECT_EQ(seen_c, "words");
        first.cancel();
        co_await first.join();
        EXPECT_EQ(seen_b, "(cancelled)");
        for (auto* g : {a.get(), b.get(), c.get()}) co_await g->connection.close();
    });
}

TEST_P(pool_contract, a_connection_that_closes_leaves_the_line) {
    run([&]() -> coro::task<> {
        auto a = new_session();
        auto b = new_session();
        auto c = new_session();
        for (auto* g : {a.get(), b.get(), c.get()}) write_all(g->theirs.get(), "words");
        auto held = co_await a->connection.recv();
        std::string seen_b;
        std::string seen_c;
        coro::scope readers{co_await coro::this_context()};
        readers.spawn(read_once(*b, seen_b));
        readers.spawn(read_once(*c, seen_c));
        co_await turns(3);
        co_await b->connection.close();
        EXPECT_EQ(seen_b, "(cancelled)");
        held = {};
        co_await readers.join();
        EXPECT_EQ(seen_c, "words");
        for (auto* g : {a.get(), c.get()}) co_await g->connection.close();
    });
}

TEST_P(pool_contract, one_reader_of_few_buffers_sees_no_cancel_that_was_none) {
    // As many buffers as a stream receives ahead: they run out just when it pauses.
    options.buffers = {.count = 4, .size = 64, .at_first = 4};
    const std::string text = pattern(64 * 1000);
    std::string all;
    run([&]() -> coro::task<> {
        auto a = new_session();
        auto write = [](session& g, std::string_view what) -> coro::task<> {
            net::connection c{g.connection.engine(), std::move(g.theirs)};
            auto sent = co_await c.send_all(what);
            EXPECT_TRUE(sent);
            co_await c.close();
        };
        coro::scope writer{co_await coro::this_context()};
        writer.spawn(write(*a, text));
        for (;;) {
            auto got = co_await a->connection.recv();
            EXPECT_TRUE(got) << shown(got) << " after " << all.size();
            if (!got || got->empty()) break;
            all += got->text();
        }
        co_await writer.join();
        co_await a->connection.close();
    });
    EXPECT_TRUE(all == text) << all.size();
}

TEST_P(pool_contract, grows_to_its_limit_as_it_is_needed) {
    options.buffers = {.count = 16, .size = 64, .at_first = 1};
    run([&]() -> coro::task<> {
        std::vector<std::unique_ptr<session>> sessions;
        std::vector<io::lease> leases;
        for (int i = 0; i < 16; ++i) {
            sessions.push_back(new_session());
            write_all(sessions.back()->theirs.get(), "words");
            auto got = co_await sessions.back()->connection.recv();
            EXPECT_EQ(shown(got), "words");
            if (got) leases.push_back(std::move(*got));
        }
        EXPECT_EQ(engine().counters().buffer_waits, 0U);
        EXPECT_EQ(engine().buffers().leased(), 16U);
        leases.clear();
        for (auto& g : sessions) co_await g->connection.close();
    });
}

// On the blocking engine no other coroutine could return a buffer.
class blocking_pool : public engine_test {};
INSTANTIATE_TEST_SUITE_P(on, blocking_pool, ::testing::ValuesIn(only(io::engine_kind::blocking)),
                         engine_name);

TEST_P(blocking_pool, says_that_there_is_no_buffer) {
    options.buffers = {.count = 1, .size = 64, .at_first = 1};
    run([&]() -> coro::task<> {
        session a{engine(), local_pair()};
        session b{engine(), local_pair()};
        write_all(a.theirs.get(), "first");
        write_all(b.theirs.get(), "second");
        auto held = co_await a.connection.recv();
        EXPECT_EQ(shown(held), "first");
        auto refused = co_await b.connection.recv();
        EXPECT_EQ(shown(refused), "(no buffer space available)");
        held = {};
        auto got = co_await b.connection.recv();
        EXPECT_EQ(shown(got), "second");
        co_await a.connection.close();
        co_await b.connection.close();
    });
}

}  // namespace
}  // namespace sluice::test
