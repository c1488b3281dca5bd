// Sessions of a set are run when their client, their deadline or a notice asks for it.
#include "sluice/io/session_set.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/net/connection.hpp"
#include "tests/support/sockets.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

/// Collects what its client sends, for as long as `patience` lasts each time.
class collector : public io::session_set::entry {
 public:
    collector(io::session_set& owner, unique_fd socket, io::duration patience)
        : entry{owner},
          set_{owner},
          root_{engine().ready()},
          running_{root_},
          peer_{engine(), std::move(socket)},
          patience_{patience} {
        engine().mark_registered(peer_.fd());
    }

    [[nodiscard]] int fd() const { return peer_.fd(); }
    [[nodiscard]] bool ended() const { return begun_ && running_.size() == 0; }
    /// As a thread of a pool does. True if it was parked.
    bool run() {
        engine().begin_run(buffers_);
        if (!std::exchange(begun_, true)) static_cast<void>(running_.spawn(collect()));
        engine().run();
        engine().end_run(buffers_);
        return !ended() && set_.park(*this, engine().is_due());
    }

    std::string got;

 private:
    coro::task<> collect() {
        for (;;) {
            auto bytes = co_await io::with_timeout(engine(), peer_.recv(), patience_);
            got += shown(bytes);
            if (!bytes || bytes->empty()) break;
        }
        co_await peer_.close();
    }

    io::session_set& set_;
    coro::resumable_list no_waiters_;
    std::unique_ptr<io::buffer_pool> buffers_ = std::make_unique<io::buffer_pool>(
        io::buffer_pool::options{.count = 2, .at_first = 2}, no_waiters_);
    coro::context root_;
    coro::scope running_;
    net::connection peer_;
    io::duration patience_;
    bool begun_ = false;
};

TEST(session_set, gives_a_session_to_a_thread_for_a_new_client_its_bytes_and_its_end) {
    auto [ours, theirs] = local_pair();
    auto set = io::session_set::create();
    ASSERT_TRUE(set);
    collector one{**set, std::move(ours), 1h};
    ASSERT_TRUE((*set)->add(one, one.fd()));
    ASSERT_EQ((*set)->next(), &one) << "the service may send first";
    EXPECT_TRUE(one.run());
    write_all(theirs.get(), "hello");
    ASSERT_EQ((*set)->next(), &one);
    EXPECT_TRUE(one.run());
    theirs.reset();
    ASSERT_EQ((*set)->next(), &one);
    EXPECT_FALSE(one.run());
    EXPECT_TRUE(one.ended());
    EXPECT_EQ(one.got, "hello(end)");
    (*set)->remove(one);
    (*set)->notify(1);
    EXPECT_EQ((*set)->next(), nullptr);
}

TEST(session_set, runs_the_session_whose_deadline_is_first) {
    auto [ours, theirs] = local_pair();
    auto [our_other, their_other] = local_pair();
    auto set = io::session_set::create();
    ASSERT_TRUE(set);
    collector late{**set, std::move(ours), 500ms};
    collector early{**set, std::move(our_other), 10ms};
    ASSERT_TRUE((*set)->add(late, late.fd()));
    ASSERT_TRUE((*set)->add(early, early.fd()));
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(static_cast<collector*>((*set)->next())->run());
    for (collector* each : {&early, &late}) {
        ASSERT_EQ((*set)->next(), each);
        EXPECT_FALSE(each->run());
        EXPECT_EQ(each->got, "(the deadline passed)");
        (*set)->remove(*each);
    }
}

TEST(session_set, has_every_session_run_after_a_notice_also_one_that_was_running) {
    auto [ours, theirs] = local_pair();
    auto [our_other, their_other] = local_pair();
    auto set = io::session_set::create();
    ASSERT_TRUE(set);
    collector parked{**set, std::move(ours), 1h};
    collector running{**set, std::move(our_other), 1h};
    ASSERT_TRUE((*set)->add(parked, parked.fd()));
    ASSERT_EQ((*set)->next(), &parked);
    EXPECT_TRUE(parked.run());
    ASSERT_TRUE((*set)->add(running, running.fd()));
    ASSERT_EQ((*set)->next(), &running);
    // Another thread waits for a session meanwhile.
    io::session_set::entry* woken = nullptr;
    std::thread other{[&] { woken = (*set)->next(); }};
    (*set)->notify(1);
    other.join();
    EXPECT_EQ(woken, &parked);
    EXPECT_FALSE(running.run()) << "it is parked without knowing the notice";
    EXPECT_FALSE(running.ended());
    running.learn((*set)->notice());
    EXPECT_TRUE(running.run());
    for (unique_fd* each : {&theirs, &their_other}) each->reset();
    parked.learn((*set)->notice());
    EXPECT_FALSE(parked.run());
    (*set)->remove(parked);
    ASSERT_EQ((*set)->next(), &running);
    EXPECT_FALSE(running.run());
    (*set)->remove(running);
    EXPECT_EQ((*set)->next(), nullptr);
}

}  // namespace
}  // namespace sluice::test
