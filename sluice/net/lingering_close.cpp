// Drains a connection whose sending side is shut down, and closes it.
#include "sluice/net/lingering_close.hpp"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>

#include "sluice/base/result.hpp"
#include "sluice/io/deadline.hpp"

namespace sluice::net {
namespace {

using namespace std::chrono_literals;

// How often the acknowledgements are looked at while some are missing.
constexpr io::duration look_interval = 50ms;

/// Bytes that the peer has not acknowledged (tcp(7), SIOCOUTQ); 0 where that is not known.
int unacknowledged(int fd) noexcept {
    int bytes = 0;
    return ::ioctl(fd, SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

coro::task<void> drain(connection& peer, coro::context& patience, linger_limits limits) {
    coro::context& here = co_await coro::this_context();
    const auto begun = io::clock::now();
    const auto end = io::after(begun, limits.longest);
    auto idle_end = io::after(begun, limits.idle);
    int waiting = unacknowledged(peer.fd());
    for (std::uint64_t dropped = 0; dropped < limits.bytes;) {
        const bool hurried = patience.cancelled();
        if (hurried && waiting == 0) co_return;
        const auto now = io::clock::now();
        auto until = std::min(idle_end, end);
        if (now >= until) co_return;
        if (waiting > 0) until = std::min(until, io::after(now, look_interval));
        const auto got =
            co_await io::with_deadline(peer.home(), peer.recv(hurried ? here : patience), until);
        if (here.cancelled()) co_return;
        if (got && got->empty()) co_return;
        if (got) {
            dropped += got->bytes().size();
        } else if (got.error() != fault::timed_out && got.error() != fault::cancelled) {
            co_return;
        }
        const int left = unacknowledged(peer.fd());
        if (left < waiting) idle_end = io::after(io::clock::now(), limits.idle);
        waiting = left;
    }
}

}  // namespace

coro::task<void> lingering_close(connection& peer, coro::context& patience, linger_limits limits) {
    peer.finish_sending();
    co_await drain(peer, patience, limits);
    co_await peer.close();
}

}  // namespace sluice::net
