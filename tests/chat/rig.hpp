// A chat on threads of its own, and members of it that are nothing but blocking sockets.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sluice/chat/server/server.hpp"
#include "sluice/io/run.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"

namespace sluice::chat {

using namespace std::chrono_literals;

/// What a test of the server runs on.
struct chat_flavour {
    const char* name = "";
    io::engine_kind kind = io::engine_kind::epoll;
    std::size_t shards = 1;
};
inline void PrintTo(const chat_flavour& f, std::ostream* out) {
    *out << f.name;
}
inline std::vector<chat_flavour> every_chat() {
    return {{.name = "epoll_1", .kind = io::engine_kind::epoll, .shards = 1},
            {.name = "epoll_2", .kind = io::engine_kind::epoll, .shards = 2},
            {.name = "uring_1", .kind = io::engine_kind::uring, .shards = 1},
            {.name = "uring_2", .kind = io::engine_kind::uring, .shards = 2}};
}
inline std::string chat_name(const ::testing::TestParamInfo<chat_flavour>& info) {
    return info.param.name;
}

/// A server that serves from its construction until end(). Each shard has a door of its own, so
/// that a test decides who is where.
class hosted_chat {
 public:
    hosted_chat(const chat_flavour& on, server::options o) {
        o.shards = on.shards;
        std::vector<unique_fd> doors;
        for (std::size_t i = 0; i < on.shards; ++i) {
            auto door = test::listen_on_loopback();
            ports_.push_back(door.port);
            doors.push_back(std::move(door.socket));
        }
        std::promise<void> ready;
        auto is_ready = ready.get_future();
        thread_ = std::thread{[this, on, o, doors = std::move(doors), &ready]() mutable {
            auto engine = io::make_engine(on.kind);
            if (!engine) throw std::runtime_error{"no engine: " + engine.error().message()};
            server served{std::move(doors), o};
            engine_ = engine->get();
            server_ = &served;
            const auto done =
                io::run(**engine, served.run(**engine, [&ready] { ready.set_value(); }));
            EXPECT_TRUE(done) << done.error().message();
            counted_ = served.counted();
        }};
        is_ready.wait();
    }
    hosted_chat(const hosted_chat&) = delete;
    hosted_chat& operator=(const hosted_chat&) = delete;
    ~hosted_chat() {
        if (!thread_.joinable()) return;
        // Both at once: after the first there may be nobody to ask.
        call([](server& s) {
            s.stop();
            s.stop();
        });
        thread_.join();
    }

    /// Where to find a shard; there are fewer than guests.
    [[nodiscard]] std::uint16_t port(std::size_t shard) const {
        return ports_[shard % ports_.size()];
    }
    /// Calls `f` on the server's first thread, and waits for it.
    void call(const std::function<void(server&)>& f) {
        struct errand : io::letter {
            errand(hosted_chat& o, const std::function<void(server&)>& what)
                : letter{[](io::letter& l) noexcept {
                      auto& self = static_cast<errand&>(l);
                      self.function(*self.owner.server_);
                      self.done.set_value();
                  }},
                  owner{o},
                  function{what} {}
            hosted_chat& owner;
            const std::function<void(server&)>& function;
            std::promise<void> done;
        };
        errand now{*this, f};
        engine_->post(now);
        now.done.get_future().wait();
    }
    void stop() {
        call([](server& s) { s.stop(); });
    }
    [[nodiscard]] counters counted() {
        std::promise<counters> told;
        call([&told](server& s) { s.count([&told](const counters& c) { told.set_value(c); }); });
        return told.get_future().get();
    }
    /// Waits for the end of a server that was stopped, and gives what it counted.
    [[nodiscard]] counters end() {
        thread_.join();
        return counted_;
    }

 private:
    std::vector<std::uint16_t> ports_;
    io::engine* engine_ = nullptr;
    server* server_ = nullptr;
    counters counted_;
    std::thread thread_;
};

/// One socket, read line by line, with a deadline on everything that has to come.
class guest {
 public:
    explicit guest(std::uint16_t port, bool small = false) : guest{connected(port, small)} {}
    explicit guest(unique_fd socket) : socket_{std::move(socket)} {
        const timeval patience{.tv_sec = 20, .tv_usec = 0};
        ::setsockopt(fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        ::setsockopt(fd(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        const int on = 1;
        ::setsockopt(fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }

    [[nodiscard]] int fd() const { return socket_.get(); }
    void send(std::string_view bytes) const {
        while (!bytes.empty()) {
            const auto n = ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) return;  // whoever reads will see that it is over
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
    }
    void say(std::string_view line) const { send(std::string{line} + "\n"); }
    void finish() const { ::shutdown(fd(), SHUT_WR); }
    void reset() {
        test::reset_at_close(fd());
        socket_.reset();
    }
    void close() { socket_.reset(); }

    /// The next line without its end; "(end)", "(reset)" or "(nothing)" if there is none. What
    /// comes before an end without a newline is a line.
    std::string line() {
        for (;;) {
            const auto end = had_.find('\n', at_);
            if (end != std::string::npos) {
                std::string found = had_.substr(at_, end - at_);
                at_ = end + 1;
                return found;
            }
            had_.erase(0, at_);
            at_ = 0;
            if (const std::string over = more(); !over.empty()) {
                if (had_.empty()) return over;
                at_ = had_.size();
                return had_;
            }
        }
    }
    /// Lines up to the first that contains `words`, that one included.
    std::vector<std::string> lines_until(std::string_view words) {
        std::vector<std::string> all;
        do {
            all.push_back(line());
        } while (all.back().find(words) == std::string::npos && !is_over(all.back()));
        return all;
    }
    /// Lines up to the end of the stream, that included as "(end)" or "(reset)".
    std::vector<std::string> lines_to_end() {
        std::vector<std::string> all;
        do {
            all.push_back(line());
        } while (!is_over(all.back()));
        return all;
    }
    /// So many bytes, whatever they are.
    std::string bytes(std::size_t count) {
        while (had_.size() - at_ < count && more().empty()) {
        }
        std::string found = had_.substr(at_, count);
        at_ += found.size();
        return found;
    }
    /// Whether exactly these bytes come next, and nothing between.
    bool hears(std::string_view wanted) {
        const std::string heard = bytes(wanted.size());
        EXPECT_EQ(heard, wanted);
        return heard == wanted;
    }
    static bool is_over(std::string_view line) {
        return line == "(end)" || line == "(reset)" || line == "(nothing)";
    }

 private:
    static unique_fd connected(std::uint16_t port, bool small) {
        if (!small) return test::connect_to(port);
        // The window is settled when the connection is made (tcp(7), SO_RCVBUF).
        unique_fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        const int least = 4096;
        ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
        sockaddr_in where{};
        where.sin_family = AF_INET;
        where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        where.sin_port = htons(port);
        if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0) {
            throw std::runtime_error{"a guest cannot connect"};
        }
        return socket;
    }
    /// Reads on. Empty, or why not.
    std::string more() {
        std::array<char, 65536> room{};
        for (;;) {
            const auto n = ::recv(fd(), room.data(), room.size(), 0);
            if (n < 0 && errno == EINTR) continue;
            if (n == 0) return "(end)";
            if (n < 0) return errno == EAGAIN ? "(nothing)" : "(reset)";
            had_.append(room.data(), static_cast<std::size_t>(n));
            return {};
        }
    }

    unique_fd socket_;
    std::string had_;
    std::size_t at_ = 0;  // what of it was given out
};

/// What the operator would see.
class kept_transcript final : public transcript {
 public:
    void add(std::string_view lines) noexcept override {
        const std::lock_guard lock{mutex_};
        text_.append(lines);
    }
    [[nodiscard]] std::string text() const {
        const std::lock_guard lock{mutex_};
        return text_;
    }

 private:
    mutable std::mutex mutex_;
    std::string text_;
};

/// One chat a test, made when it is first asked for. At the end nothing may be left of it.
class chat_test : public ::testing::TestWithParam<chat_flavour> {
 protected:
    void SetUp() override {
        // What is said at once is told at once; tests of the rates and of arrival set their own.
        allowed().introduction = {};
        allowed().rate = 0;
        allowed().command_rate = 0;
        if (auto why = test::why_not(GetParam().kind); !why.empty()) GTEST_SKIP() << why;
        descriptors_before_ = test::open_descriptors();
    }
    void TearDown() override {
        if (IsSkipped()) return;
        host_.reset();
        EXPECT_EQ(test::open_descriptors(), descriptors_before_);
    }

    hosted_chat& host() {
        if (!host_) {
            if (!options.seen) options.seen = &seen;
            host_ = std::make_unique<hosted_chat>(GetParam(), options);
        }
        return *host_;
    }
    [[nodiscard]] limits& allowed() { return options.allowed; }

    /// A newcomer at the door of a shard, or of the next one.
    guest come(std::optional<std::size_t> shard = {}, bool small = false) {
        // Whoever was greeted on another shard is known at the room's home once all have answered.
        static_cast<void>(host().counted());
        return guest{host().port(shard.value_or(came_++)), small};
    }
    /// Newcomers, on the shards in turn. Each has been greeted, and all those before it know.
    std::vector<guest> meet(std::size_t count) {
        std::vector<guest> all;
        for (std::size_t i = 0; i < count; ++i) {
            all.push_back(come());
            const std::string name = "Client " + std::to_string(i + 1);
            EXPECT_THAT(all.back().line(), ::testing::StartsWith("* welcome, you are " + name));
            for (std::size_t j = 0; j < i; ++j) {
                EXPECT_EQ(all[j].line(), "* " + name + " has joined");
            }
        }
        return all;
    }

    /// For the server; to be set before it is first asked for.
    server::options options;
    kept_transcript seen;

 private:
    std::unique_ptr<hosted_chat> host_;
    std::size_t descriptors_before_ = 0;
    std::size_t came_ = 0;
};

}  // namespace sluice::chat
