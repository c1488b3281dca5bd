// Implements keep_alive() by the socket options of tcp(7).
#include "sluice/net/keep_alive.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "sluice/os/kernel.hpp"

namespace sluice::net {

void keep_alive(int socket) noexcept {
    constexpr int idle = 60;  // seconds
    constexpr int interval = 15;
    constexpr int probes = 4;
    const auto set = [socket](int level, int name, int value) noexcept {
        static_cast<void>(os::sys().setsockopt(socket, level, name, &value, sizeof value));
    };
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, idle);
    set(IPPROTO_TCP, TCP_KEEPINTVL, interval);
    set(IPPROTO_TCP, TCP_KEEPCNT, probes);
}

}  // namespace sluice::net
