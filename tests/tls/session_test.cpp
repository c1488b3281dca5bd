// TLS on every engine, with OpenSSL itself as the peer.
#include "sluice/tls/session.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "sluice/io/deadline.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/tls/handshake.hpp"
#include "sluice/tls/server_context.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

/// A context with a certificate of its own making, in a folder of its own.
class server_side {
 public:
    server_side() {
        std::string form = (std::filesystem::temp_directory_path() / "sluice-tls-XXXXXX").string();
        folder_ = mkdtemp(form.data());
        const std::vector<std::string> names{"localhost"};
        const std::vector<std::string> addresses{"127.0.0.1"};
        tls::server_options o;
        o.load = [this, names, addresses] {
            return tls::certificate::make_or_load(folder_ + "/certificate.pem", names, addresses);
        };
        o.handshake_time = 30s;
        auto made = tls::server_context::create(std::move(o));
        EXPECT_TRUE(made) << made.error();
        context_ = std::move(*made);
    }
    ~server_side() { std::filesystem::remove_all(folder_); }
    server_side(const server_side&) = delete;
    server_side& operator=(const server_side&) = delete;

    [[nodiscard]] tls::door door() const { return {.context = context_.get(), .protocol = "test"}; }
    [[nodiscard]] tls::server_context& context() const { return *context_; }

 private:
    std::string folder_;
    std::unique_ptr<tls::server_context> context_;
};

/// OpenSSL on a blocking socket.
class peer {
 public:
    explicit peer(int fd, int version = TLS1_3_VERSION)
        : context_{SSL_CTX_new(TLS_client_method())} {
        SSL_CTX_set_min_proto_version(context_.get(), version);
        SSL_CTX_set_max_proto_version(context_.get(), version);
        ssl_.reset(SSL_new(context_.get()));
        SSL_set_fd(ssl_.get(), fd);
    }
    [[nodiscard]] bool connect() { return SSL_connect(ssl_.get()) == 1; }
    [[nodiscard]] SSL* get() const { return ssl_.get(); }
    [[nodiscard]] bool write(std::string_view text) {
        return SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size())) ==
               static_cast<int>(text.size());
    }
    [[nodiscard]] std::string read(std::size_t size) {
        std::string text(size, '\0');
        std::size_t have = 0;
        while (have < size) {
            std::size_t got = 0;
            if (SSL_read_ex(ssl_.get(), text.data() + have, size - have, &got) != 1) break;
            have += got;
        }
        text.resize(have);
        return text;
    }
    /// True if the other side announced its end.
    [[nodiscard]] bool at_end() {
        char byte = 0;
        std::size_t got = 0;
        const int done = SSL_read_ex(ssl_.get(), &byte, 1, &got);
        return done != 1 && SSL_get_error(ssl_.get(), done) == SSL_ERROR_ZERO_RETURN;
    }

 private:
    tls::ssl_context_ptr context_;
    tls::ssl_ptr ssl_;
};

class tls_contract : public engine_test {
 protected:
    /// Runs a server's coroutine on a secure connection, and the peer on a thread of its own.
    void serve(std::function<coro::task<>(net::connection&)> server,
               std::function<void(peer&)> client, int version = TLS1_3_VERSION) {
        const server_side side;
        auto pair = tcp_pair();
        const int on = 1;
        ::setsockopt(pair.theirs.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        net::connection ours{engine(), std::move(pair.ours)};
        ours.set_nodelay();
        std::thread other{[&] {
            peer p{pair.theirs.get(), version};
            EXPECT_TRUE(p.connect());
            client(p);
        }};
        run([&]() -> coro::task<> {
            const auto done = co_await tls::accept(ours, side.door());
            EXPECT_TRUE(done) << done.error().message();
            if (done) co_await server(ours);
            co_await ours.close();
        });
        other.join();
    }
};
INSTANTIATE_TEST_SUITE_P(on, tls_contract, ::testing::ValuesIn(every_engine()), engine_name);

coro::task<> echo_by_leases(net::connection& ours) {
    for (;;) {
        const auto got = co_await ours.recv();
        if (!got || got->empty()) break;
        const std::string text{got->text()};
        const auto sent = co_await ours.send_all(text);
        EXPECT_EQ(shown(sent), std::to_string(text.size()));
    }
    co_await ours.end_sending();
}

TEST_P(tls_contract, what_was_sent_comes_back) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        serve(
            echo_by_leases,
            [](peer& p) {
                for (const std::size_t size :
                     {1U, 2U, 1000U, 16383U, 16384U, 16385U, 40'000U, 200'000U}) {
                    const auto text = pattern(size);
                    std::thread writer{[&] { EXPECT_TRUE(p.write(text.substr(0, 1))); }};
                    writer.join();
                    ASSERT_EQ(p.read(1), text.substr(0, 1));
                    // Less than both sockets hold, so that neither side waits for the other to
                    // read.
                    for (std::size_t at = 0; at < size; at += 20'000) {
                        const auto piece = text.substr(at, 20'000);
                        ASSERT_TRUE(p.write(piece));
                        ASSERT_EQ(p.read(piece.size()), piece);
                    }
                }
                SSL_shutdown(p.get());
                EXPECT_TRUE(p.at_end());
            },
            version);
    }
}

TEST_P(tls_contract, bytes_received_ahead_are_read_without_a_wait) {
    serve(
        [](net::connection& ours) -> coro::task<> {
            // One record, of which each read takes a part: the socket has nothing more.
            std::string all;
            std::array<std::byte, 7> part{};
            while (all.size() < 100) {
                EXPECT_TRUE(co_await ours.readable());
                const auto got = co_await ours.recv_into(part);
                if (!got || *got == 0) break;
                all += as_text(const_bytes{part}.first(*got));
            }
            EXPECT_EQ(all, pattern(100));
            EXPECT_FALSE(ours.is_readable());
            EXPECT_EQ(shown(ours.recv_now(part)), shown(result<std::size_t>{failure_of(EAGAIN)}));
            static_cast<void>(co_await ours.send_all("done"));
        },
        [](peer& p) {
            EXPECT_TRUE(p.write(pattern(100)));
            EXPECT_EQ(p.read(4), "done");
        });
}

TEST_P(tls_contract, a_look_takes_nothing) {
    serve(
        [](net::connection& ours) -> coro::task<> {
            std::array<std::byte, 3> begin{};
            EXPECT_TRUE(co_await ours.readable());
            EXPECT_EQ(shown(ours.peek(begin)), "3");
            EXPECT_EQ(shown(ours.peek(begin)), "3");
            EXPECT_TRUE(ours.is_readable());
            std::array<std::byte, 10> whole{};
            const auto got = co_await ours.recv_into(whole);
            EXPECT_EQ(shown(got), "6");
            static_cast<void>(co_await ours.send_all("done"));
        },
        [](peer& p) {
            EXPECT_TRUE(p.write("abcdef"));
            EXPECT_EQ(p.read(4), "done");
        });
}

TEST_P(tls_contract, a_cut_stream_is_told_from_a_whole_one) {
    for (const bool whole : {true, false}) {
        serve(
            [whole](net::connection& ours) -> coro::task<> {
                auto got = co_await ours.recv();
                EXPECT_EQ(shown(got), "said");
                got = {};
                got = co_await ours.recv();
                if (whole) {
                    EXPECT_EQ(shown(got), "(end)");
                } else {
                    EXPECT_TRUE(!got && got.error() == fault::cut_short);
                }
            },
            [whole](peer& p) {
                EXPECT_TRUE(p.write("said"));
                if (whole) SSL_shutdown(p.get());
                ::shutdown(SSL_get_fd(p.get()), SHUT_WR);
                // The server's tickets, which would make the close a reset.
                static_cast<void>(p.read(1));
            });
    }
}

TEST_P(tls_contract, a_close_announces_the_end_and_a_reset_does_not) {
    for (const bool resets : {false, true}) {
        serve(
            [resets](net::connection& ours) -> coro::task<> {
                auto begin = co_await ours.recv();
                begin = {};
                if (resets) ours.set_linger_reset();
                EXPECT_EQ(shown(co_await ours.send_all("all")), "3");
            },
            [resets](peer& p) {
                EXPECT_TRUE(p.write("x"));
                // A reset may overtake what was sent before it.
                const std::string got = p.read(3);
                EXPECT_TRUE(got == "all" || (resets && got.empty())) << got;
                EXPECT_EQ(p.at_end(), !resets);
            });
    }
}

TEST_P(tls_contract, a_large_send_waits_for_a_slow_peer_and_arrives_whole) {
    const auto text = pattern(8'000'000);
    serve(
        [&text](net::connection& ours) -> coro::task<> {
            EXPECT_EQ(shown(co_await ours.send_all(text)), std::to_string(text.size()));
            co_await ours.end_sending();
        },
        [&text](peer& p) {
            std::string got;
            while (got.size() < text.size()) {
                const auto more = p.read(std::min<std::size_t>(300'000, text.size() - got.size()));
                if (more.empty()) break;
                got += more;
            }
            EXPECT_TRUE(got == text);
            EXPECT_TRUE(p.at_end());
        });
}

TEST_P(tls_contract, a_cancelled_send_leaves_the_stream_whole) {
    if (blocks()) GTEST_SKIP() << "its waits are cancelled by timers alone, as here";
    const auto text = pattern(30'000'000);
    serve(
        [&text](net::connection& ours) -> coro::task<> {
            const auto sent = co_await io::with_timeout(ours.engine(), ours.send_all(text), 20ms);
            EXPECT_TRUE(!sent && sent.error() == fault::timed_out);
            // What was encrypted goes first.
            EXPECT_EQ(shown(co_await ours.send_all("end")), "3");
            co_await ours.end_sending();
        },
        [&text](peer& p) {
            std::this_thread::sleep_for(100ms);
            std::string got = p.read(text.size() + 3);
            ASSERT_TRUE(got.ends_with("end"));
            got.resize(got.size() - 3);
            EXPECT_TRUE(text.starts_with(got)) << got.size();
        });
}

TEST_P(tls_contract, new_keys_of_the_peer_are_taken_and_answered) {
    serve(echo_by_leases, [](peer& p) {
        for (int round = 0; round < 50; ++round) {
            EXPECT_EQ(SSL_key_update(p.get(), SSL_KEY_UPDATE_REQUESTED), 1);
            const auto text = pattern(static_cast<std::size_t>(round) * 100 + 1);
            ASSERT_TRUE(p.write(text));
            ASSERT_EQ(p.read(text.size()), text);
        }
        SSL_shutdown(p.get());
    });
}

/// The sizes of the records that a peer has read, without those of the handshake.
void note_record(int sent, int /*version*/, int type, const void* data, std::size_t size,
                 SSL* /*ssl*/, void* into) {
    if (sent != 0 || type != SSL3_RT_HEADER || size != 5) return;
    const auto* const header = static_cast<const unsigned char*>(data);
    if (header[0] != SSL3_RT_APPLICATION_DATA) return;
    static_cast<std::vector<int>*>(into)->push_back(header[3] * 256 + header[4]);
}

TEST_P(tls_contract, records_are_small_at_first_and_then_full) {
    std::vector<int> sizes;
    serve(
        [](net::connection& ours) -> coro::task<> {
            auto begin = co_await ours.recv();
            begin = {};
            EXPECT_EQ(shown(co_await ours.send_all(pattern(500'000))), "500000");
        },
        [&sizes](peer& p) {
            SSL_set_msg_callback(p.get(), &note_record);
            SSL_set_msg_callback_arg(p.get(), &sizes);
            EXPECT_TRUE(p.write("x"));
            EXPECT_TRUE(p.read(500'000) == pattern(500'000));
        });
    constexpr int small = 4096 + 17;
    constexpr int full = 16384 + 17;
    ASSERT_EQ(std::ranges::count(sizes, small), 16);
    EXPECT_GE(std::ranges::count(sizes, full), 25);
    EXPECT_LT(std::ranges::find(sizes, small) - sizes.begin(),
              std::ranges::find(sizes, full) - sizes.begin());
}

TEST_P(tls_contract, handshakes_are_counted) {
    const server_side side;
    auto pair = tcp_pair();
    net::connection ours{engine(), std::move(pair.ours)};
    write_all(pair.theirs.get(), "hello\n");
    run([&]() -> coro::task<> {
        auto door = side.door();
        door.answer_plain = [](std::string_view first) { return "not " + std::string{first}; };
        const auto done = co_await tls::accept(ours, door);
        EXPECT_TRUE(!done && done.error() == fault::tls_missing);
        co_await ours.close();
    });
    EXPECT_EQ(read_to_end(pair.theirs.get()), "not hello\n");
    EXPECT_EQ(side.context().counting().plain, 1U);
    EXPECT_EQ(side.context().counting().full, 0U);
}

TEST_P(tls_contract, a_silent_client_is_given_up) {
    const server_side side;
    auto pair = tcp_pair();
    net::connection ours{engine(), std::move(pair.ours)};
    run([&]() -> coro::task<> {
        const auto done = co_await io::with_timeout(engine(), tls::accept(ours, side.door()), 20ms);
        EXPECT_FALSE(done);
        co_await ours.close();
    });
    EXPECT_EQ(read_to_end(pair.theirs.get()), "");
}

TEST(tls_session, is_small_while_it_is_idle) {
    const server_side side;
    auto pair = local_pair();
    auto made = side.context().accept("test");
    ASSERT_TRUE(made);
    tls::session& ours = **made;
    std::thread other{[&] {
        peer p{pair.theirs.get()};
        EXPECT_TRUE(p.connect());
        EXPECT_TRUE(p.write("x"));
        EXPECT_EQ(p.read(1), "y");
    }};
    while (ours.handshake(pair.ours.get()) != 0) {
        ASSERT_TRUE(ours.flush(pair.ours.get()) == 0);
    }
    ASSERT_EQ(ours.flush(pair.ours.get()), 0);
    std::array<std::byte, 10> got{};
    int n = -EAGAIN;
    while (n == -EAGAIN) n = ours.receive(pair.ours.get(), got);
    EXPECT_EQ(n, 1);
    EXPECT_EQ(ours.send(pair.ours.get(), as_bytes(std::string_view{"y"}), false), 1);
    other.join();
    EXPECT_FALSE(ours.has_input());
}

}  // namespace
}  // namespace sluice::test
