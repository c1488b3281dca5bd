// Waiting for clients and calling servers: who is taken when, and how it is stopped.
#include "sluice/talk/talk.hpp"

#include <sys/socket.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "sluice/coro/scope.hpp"
#include "sluice/net/listener.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/steps.hpp"
#include "tests/talk/rig.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;
using talk::talk_client;
using talk::talk_end;
using talk::talk_server;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string name_of(int client) {
    return "[Client " + net::address::local_of(client)->to_string() + "]";
}

/// A server with a UI, and its port.
struct serving {
    explicit serving(io::engine& e, talk_server::options o = {})
        : serving{e, listen_on_loopback(), o} {}
    serving(io::engine& e, listening socket, talk_server::options o)
        : port{socket.port},
          ui{e},
          listener{e, std::move(socket.socket), io::accepting::one_by_one},
          server{listener, ui.get(), o} {}

    std::uint16_t port;
    test_ui ui;
    net::listener listener;
    talk_server server;
};

class talk_serving : public engine_test {
 protected:
    talk_end serve(serving& s) { return io::run(engine(), s.server.run()); }
};
INSTANTIATE_TEST_SUITE_P(on, talk_serving, ::testing::ValuesIn(every_engine()), engine_name);

class talk_serving_loop : public talk_serving {};
INSTANTIATE_TEST_SUITE_P(on, talk_serving_loop, ::testing::ValuesIn(every_loop()), engine_name);

// ----- one after another

TEST_P(talk_serving, ends_with_the_first_conversation_and_accepts_no_other) {
    serving s{engine()};
    const auto first = connect_to(s.port);
    const auto second = connect_to(s.port);
    write_all(first.get(), "hello\nexit\n");
    write_all(second.get(), "me too\n");
    s.ui.type("hi\n");
    EXPECT_EQ(serve(s), talk_end::done);
    EXPECT_EQ(read_to_end(first.get()), "hi\n");
    EXPECT_EQ(s.listener.counted().accepted, 1U);
    EXPECT_EQ(s.ui.shown(),
              name_of(first.get()) + " connected\n" + name_of(first.get()) + ": hello\n");
}

TEST_P(talk_serving, leaves_waiting_clients_in_the_backlog) {
    serving s{engine()};
    const auto first = connect_to(s.port);
    const auto second = connect_to(s.port);
    write_all(first.get(), "hello\n");
    std::size_t open = 0;
    steps happening{engine(),
                    {[] {}, [] {}, [] {}, [] {}, [] {}, [&] { open = open_descriptors(); },
                     [&] { s.ui.type("exit\n"); }}};
    const auto before = open_descriptors();
    EXPECT_EQ(serve(s), talk_end::done);
    EXPECT_EQ(open, before + 1) << "one client, accepted by whomever";
}

TEST_P(talk_serving, keeps_taking_the_next_however_the_last_one_ended) {
    serving s{engine(), {.conversation = {.max_line = 10}, .keep = true}};
    const auto said_exit = connect_to(s.port);
    const auto left = connect_to(s.port);
    const auto talked_long = connect_to(s.port);
    const auto received_exit = connect_to(s.port);
    const auto last = connect_to(s.port);
    write_all(said_exit.get(), "hello\nexit\n");
    write_all(left.get(), "hello\n");
    ::shutdown(left.get(), SHUT_WR);
    write_all(talked_long.get(), "more than ten bytes\n");
    ::shutdown(talked_long.get(), SHUT_WR);
    write_all(received_exit.get(), "hello\n");
    write_all(last.get(), "hello\n");
    s.ui.type("one\ntwo\nexit\n");
    s.ui.end_input();
    EXPECT_EQ(serve(s), talk_end::done);
    EXPECT_EQ(read_to_end(said_exit.get()), "one\n");
    EXPECT_EQ(read_to_end(left.get()), "two\n");
    EXPECT_EQ(read_to_end(talked_long.get()), "error: message longer than 10 bytes\n");
    EXPECT_EQ(read_to_end(received_exit.get()), "exit\n");
    EXPECT_EQ(read_to_end(last.get()), "exit\n");
    EXPECT_EQ(s.listener.counted().accepted, 5U);
    EXPECT_THAT(s.ui.notes, EndsWith("nobody can answer the next client, so the server ends\n"));
}

TEST_P(talk_serving, without_keep_the_end_of_a_conversation_says_how_it_was) {
    {
        serving s{engine()};
        const auto client = connect_to(s.port);
        ::shutdown(client.get(), SHUT_WR);
        EXPECT_EQ(serve(s), talk_end::peer_gone);
    }
    {
        serving s{engine(), {.conversation = {.max_line = 2}}};
        const auto client = connect_to(s.port);
        write_all(client.get(), "123\n");
        ::shutdown(client.get(), SHUT_WR);
        EXPECT_EQ(serve(s), talk_end::failed);
    }
    {
        serving s{engine(), {.keep = true}};
        s.ui.close_screen();
        const auto client = connect_to(s.port);
        EXPECT_EQ(serve(s), talk_end::failed);
        EXPECT_EQ(read_to_end(client.get()), "exit\n");
    }
}

TEST_P(talk_serving, passes_over_a_client_that_is_gone_before_it_is_greeted) {
    serving s{engine()};
    {
        const auto gone = connect_to(s.port);
        reset_at_close(gone.get());
    }
    const auto client = connect_to(s.port);
    write_all(client.get(), "exit\n");
    EXPECT_EQ(serve(s), talk_end::done);
    EXPECT_EQ(s.ui.shown(), name_of(client.get()) + " connected\n");
    EXPECT_THAT(s.ui.notes, StartsWith("somebody connected, and was gone before"));
}

// ----- asked to stop

TEST_P(talk_serving, stops_at_once_without_a_conversation) {
    serving s{engine()};
    steps asking{engine(), {[] {}, [&] { s.server.stop(); }}};
    EXPECT_EQ(serve(s), talk_end::stopped);
    EXPECT_EQ(s.ui.notes, "");
}

TEST_P(talk_serving, stops_before_it_began) {
    serving s{engine()};
    s.server.stop();
    EXPECT_EQ(serve(s), talk_end::stopped);
}

TEST_P(talk_serving, a_client_that_comes_with_the_stop_is_not_waited_for) {
    serving s{engine(), {.grace = 10ms}};
    unique_fd client;
    // io_uring has accepted it when the stop comes, and the server does not know of it.
    steps asking{engine(), {[] {}, [&] { client = connect_to(s.port); }, [&] { s.server.stop(); }}};
    EXPECT_EQ(serve(s), talk_end::stopped);
}

TEST_P(talk_serving, lets_a_conversation_end_by_itself_and_takes_no_other) {
    serving s{engine(), {.keep = true, .grace = 1h}};
    const auto client = connect_to(s.port);
    const auto second = connect_to(s.port);
    steps asking{engine(),
                 {[] {}, [] {}, [] {}, [&] { s.server.stop(); },
                  [&] { write_all(client.get(), "hello\nexit\n"); }}};
    s.ui.type("hi\n");
    EXPECT_EQ(serve(s), talk_end::stopped);
    EXPECT_EQ(read_to_end(client.get()), "hi\n");
    EXPECT_EQ(s.listener.counted().accepted, 1U);
    EXPECT_THAT(s.ui.notes, StartsWith("stopping: the conversation may go on for 3600 s"));
}

TEST_P(talk_serving, says_exit_when_the_grace_is_over) {
    serving s{engine(), {.grace = 30ms}};
    const auto client = connect_to(s.port);
    steps asking{engine(), {[] {}, [] {}, [] {}, [&] { s.server.stop(); }}};
    EXPECT_EQ(serve(s), talk_end::stopped);
    EXPECT_EQ(read_to_end(client.get()), "exit\n");
}

TEST_P(talk_serving, asked_twice_ends_at_once) {
    serving s{engine(), {.grace = 1h}};
    const auto client = connect_to(s.port);
    steps asking{engine(),
                 {[] {}, [] {}, [] {}, [&] { s.server.stop(); }, [&] { s.server.stop(); }}};
    EXPECT_EQ(serve(s), talk_end::stopped);
    EXPECT_EQ(read_to_end(client.get()), "");
}

// ----- calling

class talk_calling : public engine_test {
 protected:
    talk_end call(test_ui& ui, std::vector<net::address> where) {
        talk_client client{engine(), std::move(where), ui.get(), {}};
        return io::run(engine(), client.run());
    }
};
INSTANTIATE_TEST_SUITE_P(on, talk_calling, ::testing::ValuesIn(every_engine()), engine_name);

TEST_P(talk_calling, has_the_first_word) {
    const auto listener = listen_on_loopback();
    test_ui ui{engine()};
    ui.type("hello\nexit\n");
    std::thread server{[&] {
        const unique_fd peer{::accept4(listener.socket.get(), nullptr, nullptr, SOCK_CLOEXEC)};
        EXPECT_EQ(read_exactly(peer.get(), 6), "hello\n");
        write_all(peer.get(), "hi\n");
        EXPECT_EQ(read_to_end(peer.get()), "exit\n");
    }};
    const auto where = net::address::loopback(listener.port);
    EXPECT_EQ(call(ui, {where}), talk_end::done);
    server.join();
    EXPECT_EQ(ui.shown(), "[Server " + where.to_string() + "]: hi\n");
}

TEST_P(talk_calling, where_the_connection_is_refused_it_says_what_to_do) {
    const auto port = listen_on_loopback().port;  // closed again
    test_ui ui{engine()};
    EXPECT_EQ(call(ui, {net::address::loopback(port)}), talk_end::peer_gone);
    EXPECT_THAT(ui.errors,
                HasSubstr("nobody listens at 127.0.0.1:" + std::to_string(port) +
                          " (connection refused): start a server there with 'sluice talk serve'"));
}

TEST_P(talk_calling, tries_each_address_of_a_host) {
    const auto refused = listen_on_loopback().port;
    const auto listener = listen_on_loopback();
    test_ui ui{engine()};
    ui.type("exit\n");
    std::thread server{[&] {
        const unique_fd peer{::accept4(listener.socket.get(), nullptr, nullptr, SOCK_CLOEXEC)};
        EXPECT_EQ(read_to_end(peer.get()), "exit\n");
    }};
    EXPECT_EQ(call(ui, {net::address::loopback(refused), net::address::loopback(listener.port)}),
              talk_end::done);
    server.join();
    EXPECT_EQ(ui.errors, "");
}

TEST_P(talk_calling, a_stop_says_exit_whichever_side_has_the_turn) {
    const auto listener = listen_on_loopback();
    for (const auto* typed : {"", "hello\n"}) {
        test_ui ui{engine()};
        ui.type(typed);
        talk_client client{engine(), {net::address::loopback(listener.port)}, ui.get(), {}};
        std::vector<steps::step> asking(20, [] {});
        asking.emplace_back([&] { client.stop(); });
        steps happening{engine(), std::move(asking)};
        EXPECT_EQ(io::run(engine(), client.run()), talk_end::stopped);
        const unique_fd peer{::accept4(listener.socket.get(), nullptr, nullptr, SOCK_CLOEXEC)};
        EXPECT_EQ(read_to_end(peer.get()), std::string{typed} + "exit\n");
    }
}

TEST_P(talk_calling, stops_before_it_began) {
    test_ui ui{engine()};
    talk_client client{engine(), {net::address::loopback(1)}, ui.get(), {}};
    client.stop();
    EXPECT_EQ(io::run(engine(), client.run()), talk_end::stopped);
    EXPECT_EQ(ui.errors, "");
}

// ----- both

TEST_P(talk_serving_loop, both_sides_on_one_engine) {
    serving s{engine()};
    test_ui other{engine()};
    talk_client client{engine(), {net::address::loopback(s.port)}, other.get(), {}};
    s.ui.type("an answer\nexit\n");
    other.type("a question\nanother\n");
    talk_end called = talk_end::failed;
    const auto served = run([&]() -> coro::task<talk_end> {
        coro::scope both{co_await coro::this_context()};
        const auto calling = [&]() -> coro::task<void> { called = co_await client.run(); };
        EXPECT_TRUE(both.spawn(calling()));
        const auto how = co_await s.server.run();
        co_await both.join();
        co_return how;
    });
    EXPECT_EQ(served, talk_end::done);
    EXPECT_EQ(called, talk_end::done);
    EXPECT_THAT(s.ui.shown(), EndsWith(": another\n"));
    EXPECT_THAT(other.shown(), EndsWith("]: an answer\n"));
}

}  // namespace
}  // namespace sluice::test
