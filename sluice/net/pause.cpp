// Implements end_of_pause() and round_trip().
#include "sluice/net/pause.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <chrono>

#include "sluice/os/kernel.hpp"

namespace sluice::net {

io::duration round_trip(int fd) noexcept {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (os::sys().getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, size) < 0) return {};
    return std::chrono::microseconds{info.tcpi_rtt};
}

io::time_point end_of_pause(wire::pause awaited, int fd) noexcept {
    const auto in = [](io::duration d) { return io::after(io::clock::now(), d); };
    switch (awaited) {
        case wire::pause::none: break;
        case wire::pause::first: return in(wire::first_pause + 2 * round_trip(fd));
        case wire::pause::usual: return in(wire::usual_pause);
        // wire::first_pause has passed already.
        case wire::pause::typed: return in(wire::typed_pause - wire::first_pause);
    }
    return io::never;
}

}  // namespace sluice::net
