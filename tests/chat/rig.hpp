// A chat on threads of its own, and members of it that are nothing but blocking sockets.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
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

#include "sluice/chat/server/chat_service.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/model/make.hpp"
#include "sluice/model/model.hpp"
#include "sluice/net/listener.hpp"
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

/// The port of a chat, and which of its shards is to have a connection.
struct shard_port {
    std::uint16_t port = 0;
    std::size_t shard = 0;
    std::size_t shards = 1;
};

/// Has the kernel give a connection to the shard whose number is half the client's port modulo the
/// number of shards (socket(7), SO_ATTACH_REUSEPORT_CBPF), so that a test decides which shard
/// serves a client. Half, for bind(2) gives odd ports first and connect(2) even ones.
inline void spread_by_port(int listener, std::size_t shards) {
    constexpr std::uint32_t source_port = 20;  // behind an IPv4 header without options
    std::array<sock_filter, 4> program{
        sock_filter{BPF_LD | BPF_H | BPF_ABS, 0, 0,
                    static_cast<std::uint32_t>(SKF_NET_OFF) + source_port},
        sock_filter{BPF_ALU | BPF_RSH | BPF_K, 0, 0, 1},
        sock_filter{BPF_ALU | BPF_MOD | BPF_K, 0, 0, static_cast<std::uint32_t>(shards)},
        sock_filter{BPF_RET | BPF_A, 0, 0, 0}};
    const sock_fprog all{.len = program.size(), .filter = program.data()};
    if (::setsockopt(listener, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &all, sizeof all) != 0) {
        throw std::runtime_error{"connections cannot be spread by their ports"};
    }
}

/// A chat that is served from its construction until end().
class hosted_chat {
 public:
    struct options : chat_service::options {
        std::chrono::milliseconds grace{5000};
    };

    hosted_chat(const chat_flavour& on, options o) : shards_(on.shards) {
        o.shards = on.shards;
        std::promise<void> ready;
        auto is_ready = ready.get_future();
        thread_ = std::thread{[this, on, o, &ready]() mutable { serve(on, o, ready); }};
        is_ready.wait();
    }
    hosted_chat(const hosted_chat&) = delete;
    hosted_chat& operator=(const hosted_chat&) = delete;
    ~hosted_chat() {
        if (!thread_.joinable()) return;
        // Both at once: after the first there may be nothing left to ask.
        call_on(*engine_, [this] {
            server_->stop();
            server_->stop();
        });
        thread_.join();
    }

    /// Where to find a shard; there are fewer than clients.
    [[nodiscard]] shard_port port(std::size_t shard) const {
        return {.port = port_, .shard = shard % shards_.size(), .shards = shards_.size()};
    }
    /// Calls `f` on the thread of a shard, and waits for it.
    void on_shard(std::size_t shard, const std::function<void()>& f) {
        call_on(*shards_.at(shard), f);
    }
    void stop(int times = 1) {
        call_on(*engine_, [this, times] {
            for (int i = 0; i < times; ++i) server_->stop();
        });
    }
    /// What was counted; each shard has done what it was sent before.
    [[nodiscard]] counters counted() {
        for (io::engine* each : shards_) call_on(*each, [] {});
        return chat_->counted();
    }
    /// Waits for the end of a server that was stopped, and gives what it counted.
    [[nodiscard]] counters end() {
        thread_.join();
        return counted_;
    }

 private:
    static void call_on(io::engine& engine, const std::function<void()>& f) {
        struct call : io::message {
            explicit call(const std::function<void()>& what)
                : message{[](io::message& m) noexcept {
                      auto& self = static_cast<call&>(m);
                      self.function();
                      self.done.set_value();
                  }},
                  function{what} {}
            const std::function<void()>& function;
            std::promise<void> done;
        };
        call now{f};
        auto done = now.done.get_future();
        engine.post(now);
        done.wait();
    }
    void serve(const chat_flavour& on, const options& o, std::promise<void>& ready) {
        auto engine = io::make_engine(io::engine_kind::blocking);
        auto listener =
            net::listen(net::address::parse("127.0.0.1:0").value(), {.share_port = true});
        if (!engine || !listener) throw std::runtime_error{"no engine, or no listener"};
        spread_by_port(listener->get(), on.shards);
        port_ = net::address::local_of(listener->get()).value().port();
        chat_service chat{o};
        std::vector<model::endpoint> endpoints;
        std::atomic<std::size_t> standing = 0;
        endpoints.push_back({.listener = std::move(*listener),
                             .state = [&, make = chat.state()](const model::shard_place& at) {
                                 shards_[at.index] = &at.engine;
                                 auto made = make(at);
                                 if (++standing == on.shards) ready.set_value();
                                 return made;
                             }});
        auto server = model::make(
            model::kind::event, **engine, std::move(endpoints),
            {.engine = on.kind, .workers = static_cast<unsigned>(on.shards), .grace = o.grace});
        engine_ = engine->get();
        server_ = server->get();
        chat_ = &chat;
        const auto done = server_->run();
        EXPECT_TRUE(done) << done.error().message();
        counted_ = chat.counted();
    }

    std::uint16_t port_ = 0;
    std::vector<io::engine*> shards_;
    io::engine* engine_ = nullptr;
    model::server* server_ = nullptr;
    chat_service* chat_ = nullptr;
    counters counted_;
    std::thread thread_;
};

/// One socket, read line by line, with a deadline on everything that has to come.
class session {
 public:
    explicit session(shard_port at, bool small = false) : session{connected(at, small)} {}
    explicit session(unique_fd socket) : socket_{std::move(socket)} {
        const timeval timeout{.tv_sec = 20, .tv_usec = 0};
        ::setsockopt(fd(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
        ::setsockopt(fd(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
        const int on = 1;
        ::setsockopt(fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }

    [[nodiscard]] int fd() const { return socket_.get(); }
    void send(std::string_view bytes) const {
        while (!bytes.empty()) {
            const auto n = ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) return;  // the next read finds the end
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
    /// True if exactly these bytes come next, and none between.
    bool receives(std::string_view wanted) {
        const std::string received = bytes(wanted.size());
        EXPECT_EQ(received, wanted);
        return received == wanted;
    }
    static bool is_over(std::string_view line) {
        return line == "(end)" || line == "(reset)" || line == "(nothing)";
    }

 private:
    static unique_fd connected(shard_port at, bool small) {
        for (;;) {
            unique_fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
            if (small) {
                // The window is settled when the connection is made (tcp(7), SO_RCVBUF).
                const int least = 4096;
                ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
            }
            sockaddr_in address{};
            address.sin_family = AF_INET;
            address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            auto* const generic = reinterpret_cast<sockaddr*>(&address);
            socklen_t length = sizeof address;
            if (::bind(socket.get(), generic, length) != 0 ||
                ::getsockname(socket.get(), generic, &length) != 0) {
                throw std::runtime_error{"a client has no port"};
            }
            if (ntohs(address.sin_port) / 2U % at.shards != at.shard) continue;
            address.sin_port = htons(at.port);
            if (::connect(socket.get(), generic, length) != 0) {
                throw std::runtime_error{"a client cannot connect"};
            }
            return socket;
        }
    }
    /// Reads on. Empty, or why not.
    std::string more() {
        std::array<char, 65536> buffer{};
        for (;;) {
            const auto n = ::recv(fd(), buffer.data(), buffer.size(), 0);
            if (n < 0 && errno == EINTR) continue;
            if (n == 0) return "(end)";
            if (n < 0) return errno == EAGAIN ? "(nothing)" : "(reset)";
            had_.append(buffer.data(), static_cast<std::size_t>(n));
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
        // No delays and no rates; tests of the rates and of arrival set their own.
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

    /// A new client of the listener of `shard`, or of the next one.
    session come(std::optional<std::size_t> shard = {}, bool small = false) {
        // A member greeted on another shard is known at the home shard of the room once all answer.
        static_cast<void>(host().counted());
        return session{host().port(shard.value_or(came_++)), small};
    }
    /// Newcomers, on the shards in turn. Each has been greeted, and all those before it know.
    std::vector<session> meet(std::size_t count) {
        std::vector<session> all;
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
    hosted_chat::options options;
    kept_transcript seen;

 private:
    std::unique_ptr<hosted_chat> host_;
    std::size_t descriptors_before_ = 0;
    std::size_t came_ = 0;
};

}  // namespace sluice::chat
