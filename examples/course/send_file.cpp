// Task 5: read+send beside sendfile. Sends a file through a socket in each way and times it.
//
//     send_file FILE
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "sluice/io.hpp"

using namespace sluice;

namespace {

using seconds = std::chrono::duration<double>;

/// A peer that reads everything and keeps nothing.
void read_all(unique_fd from) {
    std::vector<std::byte> buffer(1 << 20);
    while (::recv(from.get(), buffer.data(), buffer.size(), MSG_TRUNC) > 0) continue;
}

coro::task<result<void>> send(io::engine& engine, unique_fd socket, transfer::to_socket how,
                              transfer::file_part part) {
    net::connection to{engine, std::move(socket)};
    transfer::byte_counter moved;
    auto sent = co_await transfer::send_file(how, to, part, moved);
    co_await to.end_sending();
    co_await to.close();
    co_return sent;
}

result<std::pair<unique_fd, unique_fd>> connected_pair() {
    auto listener = net::listen(net::address::loopback(0));
    if (!listener) return failure(listener.error());
    const auto where = net::address::local_of(listener->get());
    unique_fd client{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!where || ::connect(client.get(), where->data(), where->size()) < 0) {
        return failure_of(errno);
    }
    unique_fd server{::accept4(listener->get(), nullptr, nullptr, SOCK_CLOEXEC)};
    return std::pair{std::move(client), std::move(server)};
}

}  // namespace

int main(int argc, char** argv) {
    const unique_fd file{argc > 1 ? ::open(argv[1], O_RDONLY | O_CLOEXEC) : -1};
    struct stat found{};
    if (!file || ::fstat(file.get(), &found) < 0) {
        std::fprintf(stderr, "usage: send_file FILE\n");
        return 2;
    }
    auto engine = io::make_engine(io::engine_kind::blocking);
    if (!engine) return 1;
    const auto size = static_cast<std::uint64_t>(found.st_size);
    for (const auto& [name, how] : transfer::to_socket_names) {
        auto pair = connected_pair();
        if (!pair) return 1;
        std::thread reader{
            [from = std::move(pair->second)]() mutable { read_all(std::move(from)); }};
        const auto begun = std::chrono::steady_clock::now();
        const auto sent = io::run(**engine, send(**engine, std::move(pair->first), how,
                                                 {.file = file.get(), .length = size}));
        reader.join();
        const seconds took = std::chrono::steady_clock::now() - begun;
        std::printf("%-20.*s %8.1f MB/s  %s\n", static_cast<int>(name.size()), name.data(),
                    static_cast<double>(size) / took.count() / 1e6,
                    sent ? "" : sent.error().message().c_str());
    }
}
