// Implements set_linger_reset() over setsockopt(2).
#include "sluice/net/linger_reset.hpp"

#include <sys/socket.h>

#include "sluice/os/kernel.hpp"

namespace sluice::net {

void set_linger_reset(int socket, bool on) noexcept {
    const linger at_once{.l_onoff = on ? 1 : 0, .l_linger = 0};
    os::sys().setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

}  // namespace sluice::net
