// Sessions in which the nth allocation fails, for each n: at most the session ends, and the next
// one finds its service as it should be.
#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sluice/chat/server/hub.hpp"
#include "sluice/chat/server/serve_member.hpp"
#include "sluice/compute/server/compute.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/files/server/http_service.hpp"
#include "sluice/files/server/raw_service.hpp"
#include "sluice/files/server/store.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/io/run.hpp"
#include "sluice/model/model.hpp"
#include "sluice/model/serve_connection.hpp"
#include "sluice/talk/conversation.hpp"
#include "sluice/term/terminal_ui.hpp"
#include "tests/memory/allocations.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

/// Calls `scenario(n)` for n = 1, 2, 3 ... until it says that nothing has failed. Each in a thread
/// of its own, which has no frames in store.
template <class F>
void for_each_failure(F scenario) {
    bool failed = true;
    std::size_t n = 1;
    for (; failed; ++n) {
        ASSERT_LT(n, 2000U) << "it never gets through";
        std::thread fresh{[&] { failed = scenario(n); }};
        fresh.join();
    }
    EXPECT_GT(n, 2U) << "nothing was allocated, so nothing was tested";
}

class session : public engine_test {
 protected:
    std::unique_ptr<io::engine> new_engine() {
        auto made = io::make_engine(kind(), flavoured());
        EXPECT_TRUE(made);
        return std::move(*made);
    }
    /// What a client gets that says `script` and ends its side; the nth allocation fails meanwhile.
    std::string serve_connection(const model::service& serve, std::string_view script,
                                 std::size_t n, bool& failed) {
        const auto e = new_engine();
        auto pair = tcp_pair();
        write_all(pair.theirs.get(), script);
        ::shutdown(pair.theirs.get(), SHUT_WR);
        coro::context root{e->ready()};
        coro::context drain{root};
        model::event_log log{[this](std::string_view) { ++reports_; }};
        {
            const failing_allocation failure_at{n};
            const auto ran = io::try_run(
                *e, model::serve_connection(*e, std::move(pair.ours), drain, serve, log), root);
            failed = failure_at.has_failed();
            EXPECT_TRUE(ran || failed);
        }
        return read_to_end(pair.theirs.get());
    }
    /// Of one session after the other; then one is served as if nothing had been.
    void try_all(const model::service& serve, std::string_view script, std::string_view answer) {
        for_each_failure([&](std::size_t n) {
            bool failed = false;
            serve_connection(serve, script, n, failed);
            // Each time would take long.
            constexpr std::size_t some = 8;
            if (failed && n % some != 0) return true;
            bool unused = false;
            EXPECT_THAT(serve_connection(serve, script, 0, unused), ::testing::HasSubstr(answer))
                << n;
            return failed;
        });
    }

    int reports_ = 0;
};
INSTANTIATE_TEST_SUITE_P(on, session, ::testing::ValuesIn(every_engine()), engine_name);

TEST_P(session, of_compute_ends_alone) {
    compute::compute_service fib{compute::make_fib(30), {}};
    const std::string long_line(3000, '1');
    try_all(fib.service(), "10\n20\nabc\n" + long_line + "\n5", "89\n10946\nnot a number\n");
    EXPECT_GT(reports_, 0) << "somebody should be told";
}

TEST_P(session, of_an_echo_ends_alone) {
    const auto serve = [](model::session& client) -> coro::task<void> {
        term::terminal_ui place{[](std::string_view) {}, {}};
        talk::conversation talk{client.peer(), "Client", place, {.echo = true}};
        static_cast<void>(co_await talk.run(talk::beginner::they, client.drain_context()));
    };
    const std::string long_line(3000, 'x');
    try_all(serve, "hello\n" + long_line + "\n\xff\xf4\xff\xfd\x06there\nexit\n", "hello\n");
}

class file_session : public session {
 protected:
    file_session() {
        std::string made = ::testing::TempDir() + "sluice.XXXXXX";
        folder_ = ::mkdtemp(made.data());
        auto opened = files::store::open(folder_, {});
        EXPECT_TRUE(opened);
        store_.emplace(std::move(*opened));
    }
    ~file_session() override {
        store_.reset();
        std::filesystem::remove_all(folder_);
    }

    std::filesystem::path folder_;
    std::optional<files::store> store_;
};
INSTANTIATE_TEST_SUITE_P(on, file_session, ::testing::ValuesIn(every_engine()), engine_name);

TEST_P(file_session, of_the_raw_endpoint_ends_alone) {
    files::raw_service raw{&*store_, {}};
    try_all(raw.service(), pattern(70'000), "");
    EXPECT_GT(raw.counted().stored, 0U);
}

TEST_P(file_session, over_http_ends_alone) {
    files::http_options allowed;
    allowed.allowed = files::permissions::everything();
    files::http_service http{*store_, allowed};
    const std::string_view script =
        "PUT /a/b.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
        "PUT /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        "GET /a/b.txt HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1,4-\r\n\r\n"
        "GET / HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\r\n"
        "GET / HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n"
        "GET /?parts HTTP/1.1\r\nHost: x\r\n\r\n"
        "DELETE /c HTTP/1.1\r\nHost: x\r\n\r\n"
        "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n";
    try_all(http.service(), script, "HTTP/1.1 404");
}

/// `act` may say that there was no memory, and nothing worse.
template <class F>
void for_each_bad_alloc(F act) {
    for_each_failure([&](std::size_t n) {
        const failing_allocation failure_at{n};
        try {
            act();
        } catch (const std::bad_alloc&) {
            return true;
        }
        return failure_at.has_failed();
    });
}

TEST_P(file_session, opens_its_store_or_says_why_not) {
    for_each_bad_alloc([&] { static_cast<void>(files::store::open(folder_, {})); });
}

TEST_P(file_session, lists_and_expires_parts_or_says_why_not) {
    for_each_bad_alloc([&] {
        store_->partials().expire();
        static_cast<void>(store_->partials().list());
    });
}

class chat_session : public session {};
INSTANTIATE_TEST_SUITE_P(on, chat_session, ::testing::ValuesIn(every_loop()), engine_name);

/// Two hubs on one engine, which write each other as those of two shards do, and a member of each.
TEST_P(chat_session, ends_alone) {
    for_each_failure([&](std::size_t n) {
        const auto e = new_engine();
        chat::limits allowed;
        allowed.framing = wire::framing::line;
        chat::directory people;
        chat::relay post{2, std::size_t{1} << 20};
        std::vector<socket_pair> pairs;
        for (int i = 0; i < 3; ++i) pairs.push_back(tcp_pair());
        bool failed = false;
        const auto both = [&]() -> coro::task<> {
            chat::counters counted;
            chat::hub first{*e, 0, allowed, people, post, nullptr, counted};
            chat::hub second{*e, 1, allowed, people, post, nullptr, counted};
            {
                coro::scope members{co_await coro::this_context(), coro::siblings::go_on};
                const auto serve = [&](std::size_t i) {
                    static_cast<void>(members.spawn(chat::serve_member(
                        i == 0 ? first : second, {.socket = std::move(pairs[i].ours)})));
                };
                const auto say = [&](std::size_t i, std::string_view what) {
                    // It may be gone already.
                    static_cast<void>(
                        ::send(pairs[i].theirs.get(), what.data(), what.size(), MSG_NOSIGNAL));
                };
                say(0, "/nick ann\nhello\n/join attic\nhere\n/who\n/rooms\n/nick b\xcc\x81\n");
                say(1, "/nick bob\nhello\n/join attic\n/msg ann psst\n/me waves\n/help\n");
                {
                    const failing_allocation failure_at{n};
                    serve(0);
                    serve(1);
                    co_await io::sleep_for(*e, 4ms);
                    say(1, "/join lobby\nagain\n\xff\xfd\x06/nick ann\nexit\n");
                    say(0, "there\n/join cellar\n/join attic\nexit\n");
                    co_await io::sleep_for(*e, 4ms);
                    failed = failure_at.has_failed();
                }
                for (std::size_t i = 0; i < 2; ++i) ::shutdown(pairs[i].theirs.get(), SHUT_WR);
                // Who comes now is served by both as if nothing had been.
                say(2, "/nick carl\n/join attic\n/who\nexit\n");
                ::shutdown(pairs[2].theirs.get(), SHUT_WR);
                serve(2);
                co_await members.join();
            }
            co_await io::sleep_for(*e, 1ms);
            first.stop_sending();
            second.stop_sending();
            co_await io::sleep_for(*e, 1ms);
            EXPECT_EQ(counted.members, 0U) << n;
        };
        io::run(*e, both());
        EXPECT_EQ(people.members_of("attic"), 0U) << n;
        EXPECT_LE(people.room_count(), 0U) << n;
        EXPECT_THAT(read_to_end(pairs[2].theirs.get()), ::testing::HasSubstr("* goodbye")) << n;
        return failed;
    });
}

}  // namespace
}  // namespace sluice::test
