// Implements avoid_pacing_on_loopback() by TCP_CONGESTION.
#include "sluice/net/congestion.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <string_view>

#include "sluice/os/kernel.hpp"

namespace sluice::net {

void avoid_pacing_on_loopback(int socket, const address& local_or_peer) noexcept {
    if (!local_or_peer.is_loopback()) return;
    std::array<char, 16> name{};  // TCP_CA_NAME_MAX
    socklen_t size = name.size();
    if (os::sys().getsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, name.data(), size) < 0) return;
    if (!std::string_view{name.data(), size}.starts_with("bbr")) return;
    // Every kernel has it, and allows it to every user.
    constexpr std::string_view replacement = "reno";
    os::sys().setsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, replacement.data(),
                         static_cast<socklen_t>(replacement.size()));
}

}  // namespace sluice::net
