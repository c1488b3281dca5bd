// Connects, reads clocks and fails for the load programs.
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

namespace load {

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

}  // namespace load
