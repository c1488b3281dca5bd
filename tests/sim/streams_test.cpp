// TCP streams of the simulated kernel: what they promise holds under every fault.
#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include <array>
#include <set>
#include <string>

#include "sluice/os/clock.hpp"
#include "sluice/os/thread.hpp"
#include "tests/sim/rig.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t port = 7000;

/// Bytes that tell where they stand.
std::string numbered(std::size_t size) {
    std::string made;
    made.reserve(size + 8);
    for (int i = 0; made.size() < size; ++i) made += std::to_string(i) + ",";
    made.resize(size);
    return made;
}

int socket_here(int flags = 0) {
    for (;;) {
        const int fd = os::sys().socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
        if (fd < 0) continue;
        // Or a reader whose peer is gone would wait for ever.
        const int on = 1;
        EXPECT_EQ(os::sys().setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on), 0);
        return fd;
    }
}

int listening(int backlog = 16) {
    os::kernel& sys = os::sys();
    const int fd = socket_here();
    const sockaddr_in where = loopback(port);
    const int on = 1;
    EXPECT_EQ(sys.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), 0);
    EXPECT_EQ(sys.bind(fd, as_sockaddr(where), sizeof where), 0);
    EXPECT_EQ(sys.listen(fd, backlog), 0);
    return fd;
}

int accepted(int listener) {
    for (;;) {
        const int fd = os::sys().accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd >= 0) return fd;
    }
}

/// Connects and waits, again until it works.
int connected() {
    for (;;) {
        const int fd = socket_here();
        const sockaddr_in where = loopback(port);
        const int failed = os::sys().connect(fd, as_sockaddr(where), sizeof where);
        if (failed == 0) return fd;
        os::sys().close(fd);
        os::sleep_for(10ms);
    }
}

/// Writes all of `text`; -errno of what broke the stream.
int send_whole(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t n = os::sys().send(fd, as_bytes(text), MSG_NOSIGNAL);
        if (n == -EINTR || n == -EAGAIN) continue;
        if (n < 0) return static_cast<int>(n);
        text.remove_prefix(static_cast<std::size_t>(n));
    }
    return 0;
}

/// Reads to the end; `error` is -errno of what broke the stream.
std::string receive_whole(int fd, int& error) {
    std::string all;
    std::array<std::byte, 3000> part{};
    for (;;) {
        const ssize_t n = os::sys().recv(fd, part, 0);
        if (n == -EINTR || n == -EAGAIN) continue;
        error = n < 0 ? static_cast<int>(n) : 0;
        if (n <= 0) return all;
        all += as_text(std::span{part}.first(static_cast<std::size_t>(n)));
    }
}

/// A client sends bytes to a server, which returns them. Whatever comes, on either side, are the
/// first of the bytes that were sent. True if all came back.
bool echoes(const sim::world_options& o, std::uint64_t* hash = nullptr) {
    const std::string sent = numbered(40'000);
    std::string back;
    sim::world w{o};
    sim::process& server = w.start_process("server", [&] {
        const int listener = listening();
        for (;;) {
            const int fd = accepted(listener);
            int error = 0;
            const std::string got = receive_whole(fd, error);
            EXPECT_TRUE(sent.starts_with(got));
            static_cast<void>(send_whole(fd, got));
            os::sys().close(fd);
        }
    });
    const sim::process& client = w.start_process("client", [&] {
        const int fd = connected();
        int error = send_whole(fd, sent);
        os::sys().shutdown(fd, SHUT_WR);
        if (error == 0) back = receive_whole(fd, error);
        EXPECT_TRUE(sent.starts_with(back));
        os::sys().close(fd);
        server.signal(SIGKILL);
    });
    // Streams that stand still go on in the end, so that there is one.
    w.after(1000 * sim::a_second, [&w] { w.heal(); });
    // A stream whose peer is gone may wait for hours.
    w.kernel().scheduler().bounds().time = 100'000 * sim::a_second;
    w.run();
    EXPECT_EQ(client.open_descriptors(), 0);
    if (hash != nullptr) *hash = w.trace_hash();
    return back == sent;
}

TEST(simulated_streams, deliver_every_byte_in_order_whatever_happens_short_of_a_break) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        ASSERT_TRUE(echoes(without_breaks(seed)));
    }
}

TEST(simulated_streams, deliver_the_first_bytes_in_order_when_they_break) {
    int whole = 0;
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        whole += echoes({.seed = seed}) ? 1 : 0;
        ASSERT_FALSE(::testing::Test::HasFailure());
    }
    EXPECT_GT(whole, 50);
    EXPECT_LT(whole, 199);
}

TEST(simulated_streams, do_the_same_for_the_same_seed) {
    std::set<std::uint64_t> hashes;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        std::uint64_t first = 0;
        std::uint64_t second = 0;
        static_cast<void>(echoes({.seed = seed}, &first));
        static_cast<void>(echoes({.seed = seed}, &second));
        EXPECT_EQ(first, second);
        hashes.insert(first);
    }
    EXPECT_EQ(hashes.size(), 20U);
}

/// Two connected sockets of one process; `options` are of the listener.
struct pair_of_sockets {
    pair_of_sockets() {
        const int listener = listening();
        client = connected();
        server = accepted(listener);
        os::sys().close(listener);
    }
    ~pair_of_sockets() {
        if (client >= 0) os::sys().close(client);
        if (server >= 0) os::sys().close(server);
    }
    int client = -1;
    int server = -1;
};

TEST(simulated_streams, are_full_when_the_reader_does_not_read) {
    in_world(quiet(1), [](sim::world&) {
        os::kernel& sys = os::sys();
        pair_of_sockets p;
        const std::string some(10'000, 'x');
        std::size_t sent = 0;
        ssize_t n = 0;
        while ((n = sys.send(p.client, as_bytes(some), MSG_DONTWAIT)) > 0) {
            sent += static_cast<std::size_t>(n);
            os::sleep_for(1ms);
        }
        EXPECT_EQ(n, -EAGAIN);
        EXPECT_LT(sent, std::size_t{512} << 10);
        int on_the_way = 0;
        int unread = 0;
        EXPECT_EQ(sys.ioctl(p.client, SIOCOUTQ, &on_the_way), 0);
        EXPECT_EQ(sys.ioctl(p.server, FIONREAD, &unread), 0);
        EXPECT_EQ(static_cast<std::size_t>(on_the_way + unread), sent);
        pollfd writable{.fd = p.client, .events = POLLOUT, .revents = 0};
        const timespec at_once{};
        EXPECT_EQ(sys.ppoll({&writable, 1}, &at_once), 0);
        std::array<std::byte, 4096> part{};
        while (sys.recv(p.server, part, MSG_DONTWAIT) > 0) os::sleep_for(1ms);
        EXPECT_EQ(sys.ppoll({&writable, 1}, nullptr), 1);
    });
}

TEST(simulated_streams, are_half_closed_and_reset_as_tcp_says) {
    in_world(quiet(1), [](sim::world&) {
        os::kernel& sys = os::sys();
        std::array<std::byte, 16> part{};
        {
            pair_of_sockets p;
            EXPECT_EQ(send_whole(p.client, "question"), 0);
            EXPECT_EQ(sys.shutdown(p.client, SHUT_WR), 0);
            EXPECT_EQ(sys.send(p.client, as_bytes("more"), MSG_NOSIGNAL), -EPIPE);
            EXPECT_EQ(sys.recv(p.server, part, MSG_PEEK), 8);
            EXPECT_EQ(sys.recv(p.server, part, MSG_TRUNC), 8);
            EXPECT_EQ(sys.recv(p.server, part, 0), 0);
            EXPECT_EQ(send_whole(p.server, "the answer"), 0);
            EXPECT_EQ(sys.recv(p.client, std::span{part}.first(10), MSG_WAITALL), 10);
        }
        {
            // A close with bytes unread resets the peer.
            pair_of_sockets p;
            EXPECT_EQ(send_whole(p.client, "unread"), 0);
            os::sleep_for(1s);
            EXPECT_EQ(sys.close(std::exchange(p.server, -1)), 0);
            EXPECT_EQ(sys.recv(p.client, part, 0), -ECONNRESET);
            EXPECT_EQ(sys.recv(p.client, part, 0), 0);
            EXPECT_EQ(sys.send(p.client, as_bytes("x"), MSG_NOSIGNAL), -EPIPE);
            pollfd all{.fd = p.client, .events = POLLIN | POLLOUT | POLLRDHUP, .revents = 0};
            EXPECT_EQ(sys.ppoll({&all, 1}, nullptr), 1);
            EXPECT_EQ(all.revents, POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
        }
        {
            // So does one with SO_LINGER of zero.
            pair_of_sockets p;
            const linger at_once{.l_onoff = 1, .l_linger = 0};
            EXPECT_EQ(sys.setsockopt(p.client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
            EXPECT_EQ(sys.close(std::exchange(p.client, -1)), 0);
            EXPECT_EQ(sys.recv(p.server, part, 0), -ECONNRESET);
        }
    });
}

TEST(simulated_streams, are_refused_or_answered_later) {
    in_world(quiet(1), [](sim::world&) {
        os::kernel& sys = os::sys();
        const sockaddr_in where = loopback(port);
        const int refused = socket_here();
        EXPECT_EQ(sys.connect(refused, as_sockaddr(where), sizeof where), -ECONNREFUSED);
        const int listener = listening();
        const int fd = socket_here(SOCK_NONBLOCK);
        EXPECT_EQ(sys.connect(fd, as_sockaddr(where), sizeof where), -EINPROGRESS);
        pollfd writable{.fd = fd, .events = POLLOUT, .revents = 0};
        EXPECT_EQ(sys.ppoll({&writable, 1}, nullptr), 1);
        EXPECT_EQ(sys.connect(fd, as_sockaddr(where), sizeof where), 0);
        EXPECT_EQ(sys.connect(fd, as_sockaddr(where), sizeof where), -EISCONN);
        sockaddr_in mine{};
        socklen_t size = sizeof mine;
        EXPECT_EQ(sys.getsockname(fd, reinterpret_cast<sockaddr*>(&mine), size), 0);
        const int other = accepted(listener);
        sockaddr_in theirs{};
        EXPECT_EQ(sys.getpeername(other, reinterpret_cast<sockaddr*>(&theirs), size), 0);
        EXPECT_EQ(mine.sin_port, theirs.sin_port);
        for (const int each : {refused, listener, fd, other}) sys.close(each);
    });
}

TEST(simulated_streams, are_spread_over_the_listeners_of_a_port) {
    in_world(quiet(1), [](sim::world&) {
        os::kernel& sys = os::sys();
        const std::array listeners{listening(), listening()};
        std::array<int, 2> waiting{};
        std::array<int, 20> clients{};
        for (int& fd : clients) fd = connected();
        for (std::size_t i = 0; i < listeners.size(); ++i) {
            pollfd any{.fd = listeners[i], .events = POLLIN, .revents = 0};
            const timespec at_once{};
            while (sys.ppoll({&any, 1}, &at_once) == 1) {
                sys.close(accepted(listeners[i]));
                ++waiting[i];
            }
            sys.close(listeners[i]);
        }
        EXPECT_EQ(waiting[0] + waiting[1], std::ssize(clients));
        EXPECT_GT(waiting[0], 3);
        EXPECT_GT(waiting[1], 3);
        for (const int fd : clients) sys.close(fd);
    });
}

TEST(simulated_streams, are_spliced_through_a_pipe_and_filled_from_a_file) {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        sim::world_options o = quiet(seed);
        o.faults->short_splice = o.faults->short_arrival = o.faults->short_write = 0.3;
        in_world(o, [](sim::world&) {
            os::kernel& sys = os::sys();
            const std::string content = numbered(100'000);
            const int file = sys.memfd_create("content", MFD_CLOEXEC);
            EXPECT_EQ(write_text(file, content), std::ssize(content));
            std::array<int, 2> pipe{};
            EXPECT_EQ(sys.pipe2(pipe, O_CLOEXEC), 0);
            std::string got;
            {
                pair_of_sockets in;
                pair_of_sockets out;
                os::thread sender;
                EXPECT_TRUE(sender.start([&]() noexcept {
                    off_t at = 0;
                    while (static_cast<std::size_t>(at) < content.size()) {
                        EXPECT_GT(os::sys().sendfile(in.client, file, &at, content.size()), 0);
                    }
                    os::sys().shutdown(in.client, SHUT_WR);
                }));
                os::thread relay;
                EXPECT_TRUE(relay.start([&]() noexcept {
                    ssize_t n = 0;
                    while ((n = os::sys().splice(in.server, nullptr, pipe[1], nullptr, 1 << 20,
                                                 0)) > 0) {
                        while (n > 0) {
                            n -= os::sys().splice(pipe[0], nullptr, out.client, nullptr,
                                                  static_cast<std::size_t>(n), 0);
                        }
                    }
                    EXPECT_EQ(n, 0);
                    os::sys().shutdown(out.client, SHUT_WR);
                }));
                int error = 0;
                got = receive_whole(out.server, error);
                EXPECT_EQ(error, 0);
                sender.join();
                relay.join();
            }
            EXPECT_EQ(got, content);
            for (const int fd : {file, pipe[0], pipe[1]}) sys.close(fd);
        });
        ASSERT_FALSE(HasFailure());
    }
}

TEST(simulated_streams, end_with_a_process_that_crashes) {
    sim::world w{quiet(1)};
    sim::process& server = w.start_process("server", [] {
        const int listener = listening();
        const int fd = accepted(listener);
        std::array<std::byte, 16> part{};
        static_cast<void>(os::sys().recv(fd, part, 0));
        ADD_FAILURE() << "it goes on after its crash";
    });
    w.start_process("client", [&] {
        const int fd = connected();
        std::array<std::byte, 16> part{};
        EXPECT_EQ(os::sys().recv(fd, part, 0), -ECONNRESET);
        os::sys().close(fd);
    });
    w.after(10 * sim::a_second, [&] { server.crash(); });
    w.run();
    EXPECT_EQ(server.open_descriptors(), 2);
}

/// Two clients are sent a byte each, which stands still; then all is healed but for one of them.
TEST(simulated_streams, to_clients_outside_of_a_core_stand_still_for_good) {
    sim::world w{quiet(1)};
    const auto reads_a_byte = [](bool& has_come) {
        return [&has_come] {
            const int fd = connected();
            std::array<std::byte, 1> byte{};
            has_come = os::sys().recv(fd, byte, 0) == 1;
        };
    };
    bool core = false;
    bool rest = false;
    w.start_process("server", [&] {
        const int listener = listening();
        const std::array clients{accepted(listener), accepted(listener)};
        w.kernel().faults().stuck = 1;
        for (const int fd : clients) EXPECT_EQ(send_whole(fd, "x"), 0);
        os::sleep_for(1s);
        EXPECT_FALSE(core || rest);
        w.kernel().heal([](const sim::process& p) { return p.name() == "rest"; });
        os::sleep_for(20s);
        EXPECT_TRUE(core);
        EXPECT_FALSE(rest);
        w.kernel().scheduler().stop();
    });
    w.start_process("core", reads_a_byte(core));
    w.start_process("rest", reads_a_byte(rest));
    w.run();
}

}  // namespace
}  // namespace sluice::test
