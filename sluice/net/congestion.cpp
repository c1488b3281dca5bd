// Asks for the congestion control, and changes it.
#include "sluice/net/congestion.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <string_view>

namespace sluice::net {

void spare_pacing(int socket, const address& here) noexcept {
    if (!here.is_loopback()) return;
    std::array<char, 16> name{};  // TCP_CA_NAME_MAX
    socklen_t size = name.size();
    if (::getsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, name.data(), &size) < 0) return;
    if (!std::string_view{name.data(), size}.starts_with("bbr")) return;
    // Every kernel has it, and lets everybody have it.
    constexpr std::string_view instead = "reno";
    ::setsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, instead.data(),
                 static_cast<socklen_t>(instead.size()));
}

}  // namespace sluice::net
