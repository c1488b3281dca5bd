// Files that go through a simulated ring, by each strategy that only io_uring has: buffers are sent
// where they are, and a kernel thread moves pages.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "sluice/io/deadline.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/io/run.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/net/dial.hpp"
#include "sluice/net/listener.hpp"
#include "sluice/transfer/to_file.hpp"
#include "sluice/transfer/to_socket.hpp"
#include "tests/sim/rig.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t transfer_port = 7100;
constexpr const char* original = "/original";
constexpr const char* copy = "/copy";
// Several of the registered buffers.
constexpr std::size_t file_size = 1'200'000;
// A peer that is silent for so long is given up.
constexpr auto longest_transfer = 60s;

unique_fd opened(const char* path, int flags) {
    return unique_fd{os::sys().openat(AT_FDCWD, path, flags | O_CLOEXEC, 0644)};
}

std::string text_of_file() {
    std::string made;
    for (std::size_t i = 0; made.size() < file_size; ++i) made += std::to_string(i) + ",";
    made.resize(file_size);
    return made;
}

std::string read_whole(const char* path) {
    std::string text;
    const unique_fd file = opened(path, O_RDONLY);
    if (!file) return text;
    for (std::string piece; !(piece = read_text(file.get(), 65'536)).empty();) text += piece;
    return text;
}

void write_original() {
    const std::string text = text_of_file();
    const unique_fd file = opened(original, O_CREAT | O_WRONLY);
    ASSERT_EQ(write_text(file.get(), text), static_cast<ssize_t>(text.size()));
}

/// An engine of io_uring; tries until there is a descriptor for it.
std::unique_ptr<io::engine> ring_engine() {
    for (;;) {
        auto made = io::make_engine(io::engine_kind::uring);
        if (made) return std::move(*made);
        os::sleep_for(1ms);
    }
}

/// Sends the file to each client until one has `done` it.
coro::task<> give(io::engine& e, transfer::to_socket how, const bool& done) {
    auto socket = net::listen(net::address::loopback(transfer_port), {.backlog = 4});
    while (!socket) {
        auto slept = co_await io::sleep_for(e, 10ms);
        if (!slept) co_return;
        socket = net::listen(net::address::loopback(transfer_port), {.backlog = 4});
    }
    net::listener listener{e, std::move(*socket)};
    while (!done) {
        auto accepted = co_await io::with_timeout(e, listener.accept(), 1s);
        const unique_fd file = opened(original, O_RDONLY);
        if (!accepted || !file) continue;
        net::connection peer{e, std::move(*accepted)};
        transfer::byte_counter counter;
        auto sent = co_await io::with_timeout(
            e, transfer::send_file(how, peer, {file.get(), 0, file_size}, counter),
            longest_transfer);
        if (sent) {
            EXPECT_EQ(counter.bytes(), file_size);
        }
        co_await peer.close();
    }
    co_await listener.close();
}

/// Receives the file, again and again until all of it came.
coro::task<> take(io::engine& e, transfer::to_file how, bool& done) {
    const std::string whole = text_of_file();
    while (!done) {
        auto slept = co_await io::sleep_for(e, 50ms);
        EXPECT_TRUE(slept);
        const unique_fd file = opened(copy, O_CREAT | O_TRUNC | O_RDWR);
        if (!file) continue;
        auto socket = co_await net::dial(e, net::address::loopback(transfer_port));
        if (!socket) continue;
        net::connection peer{e, std::move(*socket)};
        transfer::byte_counter counter;
        auto came = co_await io::with_timeout(
            e, transfer::receive_file(how, peer, {.file = file.get()}, counter), longest_transfer);
        co_await peer.close();
        if (!came) continue;
        const std::string text = read_whole(copy);
        EXPECT_TRUE(text.empty() || text.size() == *came);
        EXPECT_TRUE(whole.starts_with(text)) << "bytes out of order";
        done = text == whole;
    }
}

void move_file(const sim::world_options& o, transfer::to_socket sending,
               transfer::to_file receiving) {
    SCOPED_TRACE("seed " + std::to_string(o.seed));
    sim::world w{o};
    bool done = false;
    const auto faults = std::exchange(w.kernel().faults(), {});
    const sim::process& server = w.start_process("server", [&] {
        write_original();
        w.kernel().faults() = faults;
        const auto e = ring_engine();
        io::run(*e, give(*e, sending, done));
    });
    const sim::process& client = w.start_process("client", [&] {
        const auto e = ring_engine();
        io::run(*e, take(*e, receiving, done));
    });
    w.after(300 * sim::a_second, [&w] { w.heal(); });
    w.run();
    EXPECT_TRUE(done);
    EXPECT_EQ(server.open_descriptors(), 0);
    EXPECT_EQ(client.open_descriptors(), 0);
}

sim::world_options faults_of_a_ring(std::uint64_t seed) {
    sim::random rates{~seed};
    sim::fault_rates faults = sim::fault_rates::draw(rates);
    faults.ring_refused = 0;
    // A byte at a time takes a file of this size too long.
    faults.single_byte = 0;
    return {.seed = seed, .faults = faults};
}

TEST(simulated_transfers, arrive_when_nothing_goes_wrong) {
    move_file(quiet(1), transfer::to_socket::uring_read_send_zc,
              transfer::to_file::uring_recv_write);
    move_file(quiet(1), transfer::to_socket::uring_splice, transfer::to_file::uring_splice);
}

TEST(simulated_transfers, arrive_under_every_fault) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        move_file(
            faults_of_a_ring(seed),
            seed % 4 == 0 ? transfer::to_socket::uring_splice
                          : transfer::to_socket::uring_read_send_zc,
            seed % 3 == 0 ? transfer::to_file::uring_splice : transfer::to_file::uring_recv_write);
        ASSERT_FALSE(HasFailure());
    }
}

}  // namespace
}  // namespace sluice::test
