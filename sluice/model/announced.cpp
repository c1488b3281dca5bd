// Implements announcement: peeks at the header, and receives it once it is whole.
#include "sluice/model/announced.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <new>

#include "sluice/io/deadline.hpp"
#include "sluice/io/ops/poll.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::model {
namespace {

ssize_t receive(int socket, mutable_bytes into, int flags) noexcept {
    ssize_t n = -EINTR;
    while (n == -EINTR) n = os::sys().recv(socket, into, flags | MSG_DONTWAIT);
    return n;
}

net::address address_in(const wire::proxy_header& header) noexcept {
    if (header.source == wire::proxy_source::ipv4) {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(header.port);
        std::memcpy(&v4.sin_addr, header.host.data(), sizeof v4.sin_addr);
        return *net::address::from(reinterpret_cast<const sockaddr*>(&v4), sizeof v4);
    }
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(header.port);
    std::memcpy(&v6.sin6_addr, header.host.data(), sizeof v6.sin6_addr);
    return *net::address::from(reinterpret_cast<const sockaddr*>(&v6), sizeof v6);
}

/// Attaches a socket to an engine while it lives.
class attachment {
 public:
    attachment(io::engine& engine, int socket) noexcept
        : engine_{engine}, socket_{socket}, done_{engine.attach(socket, true)} {}
    attachment(const attachment&) = delete;
    attachment& operator=(const attachment&) = delete;
    ~attachment() {
        if (done_) engine_.detach(socket_);
    }
    [[nodiscard]] bool works() const noexcept { return done_.has_value(); }

 private:
    io::engine& engine_;
    int socket_;
    result<void> done_;
};

}  // namespace

result<net::address> address_of(const announced_address& announced, int socket) {
    if (announced) return *announced;
    return net::address::peer_of(socket);
}

announcement::step announcement::advance(int socket) noexcept {
    std::array<std::byte, wire::longest_proxy_header> begin{};
    const auto n = receive(socket, begin, MSG_PEEK);
    if (n == -EAGAIN) return step::waits;
    // An error is reported once: a service would read the end of a whole stream.
    if (n < 0) return step::failed;
    const auto header =
        wire::read_proxy_header(const_bytes{begin}.first(static_cast<std::size_t>(n)));
    is_certain_ = header.is_certain;
    switch (header.state) {
        case wire::proxy_header_state::absent: return end(socket, {});
        case wire::proxy_header_state::malformed: return end(socket, "malformed");
        case wire::proxy_header_state::too_long: return end(socket, "too long");
        case wire::proxy_header_state::complete: return take(socket, header);
        case wire::proxy_header_state::incomplete: break;
    }
    const auto size = static_cast<std::size_t>(n);
    // Readable, and without another byte: nothing comes any more.
    if (size < needed_ && (n == 0 || needed_ > 1)) return give_up(socket);
    wait_for(socket, header.size);
    return step::waits;
}

announcement::step announcement::give_up(int socket) noexcept {
    return end(socket, is_certain_ ? "not whole" : std::string_view{});
}

announcement::step announcement::end(int socket, std::string_view why) noexcept {
    why_ = why;
    wait_for(socket, 1);
    return why.empty() ? step::served : step::failed;
}

announcement::step announcement::take(int socket, const wire::proxy_header& header) noexcept try {
    std::array<std::byte, wire::longest_proxy_header> unused{};
    for (std::size_t left = header.size; left > 0;) {
        const auto n = receive(socket, mutable_bytes{unused}.first(left), 0);
        if (n <= 0) return step::failed;
        left -= static_cast<std::size_t>(n);
    }
    if (header.source != wire::proxy_source::proxy) {
        client_ = std::make_unique<const net::address>(address_in(header));
    }
    return end(socket, {});
} catch (const std::bad_alloc&) {
    return end(socket, "more than memory was left for");
}

// The kernel wakes a waiter once so many bytes have come, or the end (socket(7)): what is peeked at
// stays in the socket, which would be readable all the time.
void announcement::wait_for(int socket, std::size_t bytes) noexcept {
    if (bytes == needed_) return;
    needed_ = bytes;
    const int value = static_cast<int>(bytes);
    os::sys().setsockopt(socket, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof value);
}

coro::task<announcement::step> receive_announcement(io::engine& engine, int socket,
                                                    announcement& into, io::time_point until) {
    auto now = into.advance(socket);
    if (now != announcement::step::waits) co_return now;
    const attachment attached{engine, socket};
    if (!attached.works()) co_return announcement::step::failed;
    while (now == announcement::step::waits) {
        io::poll readable{engine, socket, io::interest::in};
        const auto ready = co_await io::with_deadline(engine, readable, until);
        if (ready) {
            now = into.advance(socket);
        } else if (ready.error() == fault::timed_out) {
            now = into.give_up(socket);
        } else {
            co_return announcement::step::failed;
        }
    }
    co_return now;
}

}  // namespace sluice::model
