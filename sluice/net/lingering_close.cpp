// Implements lingering_close(): ends the sending side, drains the input, and closes.
#include "sluice/net/lingering_close.hpp"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>

#include "sluice/base/result.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::net {
namespace {

using namespace std::chrono_literals;

// Interval between checks of missing acknowledgements.
constexpr io::duration check_interval = 50ms;

/// Bytes that the peer has not acknowledged (tcp(7), SIOCOUTQ); 0 if that is unknown.
int unacknowledged(int fd) noexcept {
    int bytes = 0;
    return os::sys().ioctl(fd, SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

/// The end of the stream, which over a layer may have to wait for the peer.
coro::task<result<void>> announce_end(connection& peer) {
    co_await peer.end_sending();
    co_return result<void>{};
}

coro::task<void> discard_input(connection& peer, coro::context& drain, linger_limits limits) {
    coro::context& current = co_await coro::this_context();
    const auto begun = io::clock::now();
    const auto end = io::after(begun, limits.longest);
    auto idle_end = io::after(begun, limits.idle);
    int unacked = unacknowledged(peer.fd());
    for (std::uint64_t dropped = 0; dropped < limits.bytes;) {
        const bool draining = drain.cancelled();
        if (draining && unacked == 0) co_return;
        const auto now = io::clock::now();
        auto until = std::min(idle_end, end);
        if (now >= until) co_return;
        if (unacked > 0) until = std::min(until, io::after(now, check_interval));
        const auto got =
            co_await io::with_deadline(peer.engine(), peer.recv(draining ? current : drain), until);
        if (current.cancelled()) co_return;
        if (got && got->empty()) co_return;
        if (got) {
            dropped += got->bytes().size();
        } else if (got.error() != fault::timed_out && got.error() != fault::cancelled) {
            co_return;
        }
        const int left = unacknowledged(peer.fd());
        if (left < unacked) idle_end = io::after(io::clock::now(), limits.idle);
        unacked = left;
    }
}

}  // namespace

coro::task<void> lingering_close(connection& peer, coro::context& drain, linger_limits limits) {
    static_cast<void>(co_await io::with_timeout(peer.engine(), announce_end(peer), limits.idle));
    co_await discard_input(peer, drain, limits);
    co_await peer.close();
}

}  // namespace sluice::net
