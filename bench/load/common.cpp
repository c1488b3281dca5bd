// Connects, runs clients, reads clocks and fails for the load programs.
#include "common.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace load {
namespace {

constexpr std::size_t drop_step = std::size_t{1} << 20;
constexpr std::size_t source_size = std::size_t{256} << 10;

}  // namespace

void fail(const std::string& what) {
    std::fprintf(stderr, "%s\n", what.c_str());
    std::exit(1);
}

void fail_with_errno(const std::string& what) {
    fail(what + ": " + std::strerror(errno));
}

void raise_open_files() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

double cpu_seconds(pid_t process) {
    clockid_t id{};
    timespec spent{};
    if (clock_getcpuclockid(process, &id) != 0 || clock_gettime(id, &spent) != 0) {
        fail("process " + std::to_string(process) + " is gone, its CPU time cannot be read");
    }
    return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) * 1e-9;
}

double waited_seconds(pid_t process) {
    const std::string who = process > 0 ? std::to_string(process) : std::string{"self"};
    std::ifstream file{"/proc/" + who + "/schedstat"};
    double ran = 0;
    double waited = 0;
    file >> ran >> waited;
    return waited * 1e-9;
}

sluice::unique_fd connect_to(std::uint16_t port, std::size_t index) {
    constexpr std::size_t connections_per_source = 4000;
    sluice::unique_fd fd{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!fd) fail_with_errno("socket for connection " + std::to_string(index));
    const int on = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // Without it the port is chosen before the destination is known, from those free everywhere.
    setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    // A load that paces what it sends measures itself.
    setsockopt(fd.get(), IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr =
        htonl(INADDR_LOOPBACK + static_cast<std::uint32_t>(index / connections_per_source));
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): how sockets take addresses
    const auto* plain = reinterpret_cast<const sockaddr*>(&address);
    if (bind(fd.get(), plain, sizeof address) != 0) fail_with_errno("bind to a source address");
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (connect(fd.get(), plain, sizeof address) != 0) {
        fail_with_errno("connection " + std::to_string(index) +
                        " to 127.0.0.1:" + std::to_string(port));
    }
    return fd;
}

std::vector<std::uint32_t> make_source() {
    std::vector<std::uint32_t> block(source_size / sizeof(std::uint32_t));
    std::uint32_t number = 1;
    for (auto& each : block) each = number = number * 1'664'525U + 1'013'904'223U;
    return block;
}

std::uint64_t drop_to_end(int socket) {
    std::uint64_t size = 0;
    for (;;) {
        const auto n = ::recv(socket, nullptr, drop_step, MSG_TRUNC);
        if (n < 0) fail_with_errno("recv");
        if (n == 0) return size;
        size += static_cast<std::uint64_t>(n);
    }
}

std::uint64_t sum_of_clients(std::size_t clients,
                             const std::function<std::uint64_t(std::size_t)>& job) {
    std::vector<std::uint64_t> results(clients);
    {
        std::vector<std::jthread> threads;
        threads.reserve(clients);
        for (std::size_t i = 0; i < clients; ++i) {
            threads.emplace_back([&, i] { results[i] = job(i); });
        }
    }
    std::uint64_t sum = 0;
    for (const auto each : results) sum += each;
    return sum;
}

void measure(pid_t server, const std::function<outcome()>& job) {
    const double server_before = server == 0 ? 0 : cpu_seconds(server);
    const double load_before = cpu_seconds(0);
    const auto begin = clock_type::now();
    const outcome done = job();
    const double took = seconds{clock_type::now() - begin}.count();
    const double load_cpu = cpu_seconds(0) - load_before;
    const double server_cpu = server == 0 ? 0 : cpu_seconds(server) - server_before;
    std::printf(
        "{\"bytes\": %llu, \"answers\": %llu, \"seconds\": %.6f, \"load_cpu_seconds\": %.6f, "
        "\"server_cpu_seconds\": %.6f}\n",
        static_cast<unsigned long long>(done.bytes), static_cast<unsigned long long>(done.answers),
        took, load_cpu, server_cpu);
}

}  // namespace load
