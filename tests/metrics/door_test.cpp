// The door of metrics: its limits and deadlines, and what it answers.
#include "sluice/metrics/door.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sluice/io/mailbox.hpp"
#include "sluice/io/shard.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"

namespace sluice::metrics {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

/// What comes up to `end`, and `end`.
std::string read_until(std::string_view end, int fd) {
    std::string all;
    while (!all.ends_with(end)) {
        const auto next = test::read_exactly(fd, 1);
        if (next.empty()) break;
        all += next;
    }
    return all;
}

/// A door on a thread of its own, as a server has it.
class metrics_door : public ::testing::TestWithParam<test::flavour> {
 protected:
    void SetUp() override {
        if (const auto why = test::why_not(GetParam().kind); !why.empty()) GTEST_SKIP() << why;
        options.collect = [] {
            collection all;
            all.add({.title = "t",
                     .part = "sluice",
                     .samples = {{.name = "things", .value = 7, .description = "seen"}}});
            return all;
        };
    }
    void TearDown() override { thread_.reset(); }

    void open() {
        door_ = std::make_unique<door>(options);
        auto listening = test::listen_on_loopback();
        port_ = listening.port;
        another_.reset(::dup(listening.socket.get()));
        auto socket = std::make_shared<unique_fd>(std::move(listening.socket));
        auto started = io::shard::start(
            {.kind = GetParam().kind, .engine = {}, .cpu = {}},
            [this, socket](io::engine& e) { return door_->serve(e, std::move(*socket)); });
        ASSERT_TRUE(started);
        thread_ = std::move(*started);
    }
    [[nodiscard]] unique_fd call() const { return test::connect_to(port_); }
    /// The answer to a request after which the connection ends.
    [[nodiscard]] std::string ask(std::string_view request) const {
        const auto socket = call();
        test::write_all(socket.get(), request);
        return test::read_to_end(socket.get());
    }
    [[nodiscard]] std::string get(std::string_view path, std::string_view fields = {}) const {
        return ask("GET " + std::string{path} + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" +
                   std::string{fields} + "\r\n");
    }
    void wait_for_connections(std::uint64_t count) const {
        while (door_->counted().connections != count) std::this_thread::yield();
    }

    [[nodiscard]] door& the_door() { return *door_; }
    /// The thread is told that another process, which has the socket, too, accepts from now on.
    void leave_to_another() {
        thread_->engine().post(leaving_);
        while (!leaving_.is_told) std::this_thread::yield();
    }
    /// The next connection to the other process.
    [[nodiscard]] unique_fd accept_as_another() const {
        return unique_fd{::accept(another_.get(), nullptr, nullptr)};
    }

    door_options options;

 private:
    struct leaving : io::message {
        explicit leaving(std::unique_ptr<door>& d)
            : message{[](message& m) noexcept {
                  auto& self = static_cast<leaving&>(m);
                  self.of->stop_accepting();
                  self.is_told = true;
              }},
              of{d} {}
        std::unique_ptr<door>& of;
        std::atomic<bool> is_told = false;
    };

    std::unique_ptr<door> door_;
    std::uint16_t port_ = 0;
    unique_fd another_;
    leaving leaving_{door_};
    std::unique_ptr<io::shard> thread_;
};

INSTANTIATE_TEST_SUITE_P(engines, metrics_door, ::testing::ValuesIn(test::every_loop()),
                         test::engine_name);

TEST_P(metrics_door, shows_metrics_in_both_formats) {
    open();
    const auto text = get("/metrics");
    EXPECT_THAT(text, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(text, HasSubstr("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    EXPECT_THAT(text, HasSubstr("\nsluice_things_total 7\n"));
    const auto other = get("/metrics", "Accept: application/openmetrics-text; version=1.0.0\r\n");
    EXPECT_THAT(other, HasSubstr("\r\nContent-Type: application/openmetrics-text; version=1.0.0; "
                                 "charset=utf-8\r\n"));
    EXPECT_THAT(other, HasSubstr("# EOF\n"));
}

TEST_P(metrics_door, head_has_the_head_alone) {
    open();
    const auto got = ask("HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(got, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(got, Not(HasSubstr("Content-Length: 0\r\n")));
    EXPECT_TRUE(got.ends_with("\r\n\r\n"));
}

TEST_P(metrics_door, says_how_far_the_server_is) {
    std::atomic<bool> stuck = false;
    options.why_stuck = [&stuck] { return stuck ? std::string{"it hangs"} : std::string{}; };
    open();
    EXPECT_THAT(get("/readyz"), StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(get("/healthz"), StartsWith("HTTP/1.1 200 "));
    the_door().set(readiness::ready);
    EXPECT_THAT(get("/readyz"), StartsWith("HTTP/1.1 200 "));
    the_door().set(readiness::draining);
    EXPECT_THAT(get("/readyz"), HasSubstr("draining\n"));
    stuck = true;
    EXPECT_THAT(get("/healthz"), HasSubstr("it hangs\n"));
    EXPECT_THAT(get("/healthz"), StartsWith("HTTP/1.1 503 "));
}

TEST_P(metrics_door, refuses_all_other_requests) {
    open();
    EXPECT_THAT(get("/"), StartsWith("HTTP/1.1 404 "));
    EXPECT_THAT(get("/metrics/"), StartsWith("HTTP/1.1 404 "));
    const auto posted = ask("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
    EXPECT_THAT(posted, StartsWith("HTTP/1.1 405 "));
    EXPECT_THAT(posted, HasSubstr("\r\nAllow: GET, HEAD\r\n"));
    EXPECT_THAT(posted, HasSubstr("\r\nConnection: close\r\n"));
    EXPECT_THAT(ask("GET nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
                StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(ask("nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(ask("GET /" + std::string(4000, 'a') + " HTTP/1.1\r\n\r\n"),
                StartsWith("HTTP/1.1 414 "));
    EXPECT_THAT(ask("GET / HTTP/1.1\r\nHost: x\r\nA: " + std::string(10'000, 'a') + "\r\n\r\n"),
                StartsWith("HTTP/1.1 431 "));
    EXPECT_GE(the_door().counted().bad_requests, 4U);
    EXPECT_EQ(the_door().counted().scrapes, 0U);
}

TEST_P(metrics_door, keeps_a_connection_and_answers_pipelined_requests) {
    open();
    const std::string one = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    const auto got =
        ask(one + one + "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    std::size_t answers = 0;
    for (auto at = got.find("HTTP/1.1 "); at != std::string::npos;
         at = got.find("HTTP/1.1 ", at + 1)) {
        ++answers;
    }
    EXPECT_EQ(answers, 3U);
    EXPECT_TRUE(got.ends_with("starting\n"));
}

TEST_P(metrics_door, leaves_its_socket_to_another_process) {
    open();
    const auto idle = call();
    const auto kept = call();
    const std::string one = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    test::write_all(kept.get(), one);
    wait_for_connections(2);
    EXPECT_THAT(read_until("alive\n", kept.get()), Not(HasSubstr("Connection: close")));
    leave_to_another();
    // Those that are there have one answer more.
    for (const auto* each : {&kept, &idle}) {
        test::write_all(each->get(), one);
        const auto answer = test::read_to_end(each->get());
        EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
        EXPECT_THAT(answer, HasSubstr("\r\nConnection: close\r\n"));
    }
    const auto next = call();
    EXPECT_TRUE(accept_as_another());
}

TEST_P(metrics_door, a_slow_head_is_refused_at_its_deadline) {
    options.head_time = 50ms;
    open();
    EXPECT_THAT(ask("GET /healthz HTT"), StartsWith("HTTP/1.1 408 "));
    // One that says nothing at all.
    EXPECT_THAT(ask(""), StartsWith("HTTP/1.1 408 "));
    EXPECT_EQ(the_door().counted().slow, 2U);
}

TEST_P(metrics_door, an_idle_connection_is_closed) {
    options.idle_time = 50ms;
    open();
    const auto got = ask("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(got, StartsWith("HTTP/1.1 200 "));
    EXPECT_THAT(got, Not(HasSubstr("408")));
    EXPECT_EQ(the_door().counted().slow, 0U);
}

TEST_P(metrics_door, more_connections_than_there_may_be_are_reset) {
    options.most = 2;
    open();
    auto first = call();
    auto second = call();
    wait_for_connections(2);
    EXPECT_THAT(test::read_to_end(call().get()), IsEmpty());
    EXPECT_EQ(the_door().counted().refused, 1U);
    second.reset();
    wait_for_connections(1);
    EXPECT_THAT(get("/healthz"), StartsWith("HTTP/1.1 200 "));
}

TEST_P(metrics_door, a_client_that_takes_no_answer_is_reset) {
    options.send_time = 50ms;
    options.collect = [] {
        collection all;
        all.add({.part = "sluice",
                 .samples = {{.value = 1, .metric = "x", .help = std::string_view{"h"}}}});
        for (int i = 0; i < 20; ++i) {
            all.add({.part = "sluice",
                     .samples = {{.value = 1,
                                  .metric = "big",
                                  .labels = label("a" + std::to_string(i),
                                                  std::string(std::size_t{1} << 20, 'b')),
                                  .help = "h"}}});
        }
        return all;
    };
    open();
    const auto socket = call();
    test::write_all(socket.get(), "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    while (the_door().counted().slow == 0) std::this_thread::yield();
    wait_for_connections(0);
}

TEST_P(metrics_door, a_page_of_a_stranger_cannot_ask_for_it) {
    const http::visitor_origin origins{{}, {}, "machine.example"};
    options.origins = &origins;
    open();
    const auto of_host = [this](std::string_view host) {
        return ask("GET /healthz HTTP/1.1\r\nHost: " + std::string{host} +
                   "\r\nConnection: close\r\n\r\n");
    };
    EXPECT_THAT(of_host("evil.example"), StartsWith("HTTP/1.1 421 "));
    EXPECT_THAT(of_host("127.0.0.1:9090"), StartsWith("HTTP/1.1 200 "));
    EXPECT_THAT(of_host("machine.example"), StartsWith("HTTP/1.1 200 "));
}

}  // namespace
}  // namespace sluice::metrics
