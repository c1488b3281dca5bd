// A broken contract stops the program with a sentence, rather than going wrong somewhere else
// later.
#include <sys/socket.h>

#include <future>
#include <memory>
#include <optional>
#include <string>

#include "sluice/coro/channel.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/io/offload.hpp"
#include "sluice/net/connection.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/steps.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

// The engine is made in the child: a ring belongs to the process that made it.
class misuse_death_test : public engine_test {
 protected:
    void SetUp() override {
        engine_test::SetUp();
        ::testing::FLAGS_gtest_death_test_style = "threadsafe";
    }
    coro::task<> read(net::connection& c) {
        auto got = co_await c.recv();
        static_cast<void>(got);
    }
    coro::task<> read_into(net::connection& c) {
        std::string buffer(8, '.');
        auto got = co_await c.recv_into(std::as_writable_bytes(std::span{buffer}));
        static_cast<void>(got);
    }
    coro::task<> write(net::connection& c) {
        auto sent = co_await c.send_all(std::string(10 << 20, 'x'));
        static_cast<void>(sent);
    }
};
INSTANTIATE_TEST_SUITE_P(on, misuse_death_test, ::testing::ValuesIn(every_loop()), engine_name);

TEST_P(misuse_death_test, two_readers_of_one_stream) {
    EXPECT_DEATH(([&] {
                     auto [ours, theirs] = local_pair();
                     net::connection c{engine(), std::move(ours)};
                     coro::context root{engine().ready()};
                     coro::scope both{root};
                     both.spawn(read(c));
                     both.spawn(read(c));
                 })(),
                 "two coroutines await one operation");
}

TEST_P(misuse_death_test, two_operations_in_one_direction) {
    EXPECT_DEATH(([&] {
                     auto [ours, theirs] = local_pair();
                     net::connection c{engine(), std::move(ours)};
                     coro::context root{engine().ready()};
                     coro::scope both{root};
                     both.spawn(read_into(c));
                     both.spawn(read_into(c));
                 })(),
                 "two operations wait for one direction of a descriptor");
}

TEST_P(misuse_death_test, two_writers) {
    EXPECT_DEATH(([&] {
                     auto [ours, theirs] = local_pair();
                     net::connection c{engine(), std::move(ours)};
                     coro::context root{engine().ready()};
                     coro::scope both{root};
                     both.spawn(write(c));
                     both.spawn(write(c));
                 })(),
                 "two operations wait for one direction of a descriptor");
}

TEST_P(misuse_death_test, an_engine_that_dies_with_operations) {
    EXPECT_DEATH(([&] {
                     auto made = io::make_engine(kind(), flavoured());
                     auto [ours, theirs] = local_pair();
                     net::connection c{**made, std::move(ours)};
                     coro::context root{(*made)->ready()};
                     coro::scope one{root};
                     one.spawn(read(c));
                     (*made)->run_once(io::clock::now());
                     made->reset();
                 })(),
                 "an engine is destroyed with operations in flight: 1, one of which waits to read "
                 "from descriptor [0-9]+");
}

TEST_P(misuse_death_test, a_pool_that_dies_before_its_leases) {
    EXPECT_DEATH(([&] {
                     auto made = io::make_engine(kind(), flavoured());
                     auto [ours, theirs] = local_pair();
                     write_all(theirs.get(), "x");
                     io::lease kept;
                     auto keep = [](io::engine& e, unique_fd fd, io::lease& into) -> coro::task<> {
                         net::connection c{e, std::move(fd)};
                         auto got = co_await c.recv();
                         into = std::move(*got);
                         co_await c.close();
                     };
                     io::run(**made, keep(**made, std::move(ours), kept));
                     made->reset();
                 })(),
                 "a buffer pool is destroyed before its leases");
}

TEST_P(misuse_death_test, an_engine_that_dies_with_mail) {
    EXPECT_DEATH(([&] {
                     auto made = io::make_engine(kind(), flavoured());
                     io::message unread{[](io::message&) noexcept {}};
                     (*made)->post(unread);
                     made->reset();
                 })(),
                 "an engine is destroyed with messages in its mailbox");
}

TEST_P(misuse_death_test, a_descriptor_that_was_not_attached) {
    EXPECT_DEATH(([&] {
                     auto [ours, theirs] = local_pair();
                     auto send = [](io::engine& e, int fd) -> coro::task<> {
                         auto sent = co_await io::send{e, fd, as_bytes("x")};
                         static_cast<void>(sent);
                     };
                     io::run(engine(), send(engine(), ours.get()));
                 })(),
                 "an operation on a descriptor not attached");
}

TEST_P(misuse_death_test, a_descriptor_attached_twice) {
    EXPECT_DEATH(([&] {
                     auto [ours, theirs] = local_pair();
                     static_cast<void>(engine().attach(ours.get()));
                     static_cast<void>(engine().attach(ours.get()));
                 })(),
                 "a descriptor is attached twice");
}

TEST_P(misuse_death_test, a_descriptor_detached_that_was_not_attached) {
    EXPECT_DEATH(engine().detach(0), "a descriptor is detached that was not attached");
    EXPECT_DEATH(engine().detach(-1), "a descriptor is detached that was not attached");
}

TEST_P(misuse_death_test, a_scope_that_dies_with_children) {
    EXPECT_DEATH(([&] {
                     auto [ours, theirs] = local_pair();
                     net::connection c{engine(), std::move(ours)};
                     coro::context root{engine().ready()};
                     std::optional<coro::scope> one{std::in_place, root};
                     one->spawn(read(c));
                     one.reset();
                 })(),
                 "a scope is destroyed with children: join it first");
}

TEST_P(misuse_death_test, a_coroutine_that_dies_while_a_worker_runs_its_job) {
    EXPECT_DEATH(([&] {
                     io::offload_pool pool{{.workers = 1, .queue = 1}};
                     std::promise<void> begun;
                     std::promise<void> never;
                     coro::context root{engine().ready()};
                     auto wait = [&]() -> coro::task<> {
                         auto done = co_await pool.run(engine(), [&] {
                             begun.set_value();
                             never.get_future().wait();
                         });
                         static_cast<void>(done);
                     };
                     auto waiting = wait();
                     waiting.set_context(root);
                     auto handle = waiting.release();
                     handle.resume();
                     begun.get_future().wait();
                     handle.destroy();
                 })(),
                 "a coroutine is destroyed while a worker of an offload pool runs its job");
}

TEST_P(misuse_death_test, a_timer_that_dies_armed) {
    EXPECT_DEATH(([&] {
                     io::timer t{[](io::timer&) noexcept {}};
                     engine().timers().arm(t, io::clock::now() + 1s);
                 })(),
                 "a timer is destroyed while it is armed");
}

TEST_P(misuse_death_test, an_exception_that_leaves_a_coroutine) {
    EXPECT_DEATH(([&] {
                     auto thrower = []() -> coro::task<> {
                         throw 1;
                         co_return;
                     };
                     io::run(engine(), thrower());
                 })(),
                 "an exception left a coroutine");
}

// epoll alone can tell: io_uring holds the file, not its number.
class epoll_misuse_death_test : public misuse_death_test {};
INSTANTIATE_TEST_SUITE_P(on, epoll_misuse_death_test,
                         ::testing::ValuesIn(only(io::engine_kind::epoll)), engine_name);

TEST_P(epoll_misuse_death_test, a_descriptor_closed_behind_its_back) {
    EXPECT_DEATH(([&] {
                     auto pair = local_pair();
                     net::connection c{engine(), std::move(pair.ours)};
                     auto wait = [](io::engine& e, net::connection& from) -> coro::task<> {
                         auto late = co_await io::with_timeout(e, from.recv(), 0ms);
                         static_cast<void>(late);
                     };
                     io::run(engine(), wait(engine(), c));
                     ::close(c.fd());
                 })(),
                 "a descriptor was closed before it was detached");
}

// On the blocking engine no other coroutine could end the wait.
class blocking_misuse_death_test : public misuse_death_test {};
INSTANTIATE_TEST_SUITE_P(on, blocking_misuse_death_test,
                         ::testing::ValuesIn(only(io::engine_kind::blocking)), engine_name);

TEST_P(blocking_misuse_death_test, a_connection_destroyed_inside_its_own_wait) {
    EXPECT_DEATH(([&] {
                     auto [ours, theirs] = local_pair();
                     std::optional<net::connection> c{std::in_place, engine(), std::move(ours)};
                     const steps later{engine(), {[&] { c.reset(); }}};
                     io::run(engine(), read_into(*c));
                 })(),
                 "inside its wait on the blocking engine");
}

TEST_P(blocking_misuse_death_test, waiting_for_another_coroutine) {
    EXPECT_DEATH(([&] {
                     coro::channel<int> empty{1};
                     auto wait = [](coro::channel<int>& c) -> coro::task<> {
                         auto got = co_await c.receive();
                         static_cast<void>(got);
                     };
                     io::run(engine(), wait(empty));
                 })(),
                 "on the blocking engine");
}

}  // namespace
}  // namespace sluice::test
