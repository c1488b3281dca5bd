// Implements send_zero_copy over MSG_ZEROCOPY and its notifications.
#include "sluice/io/ops/send_zero_copy.hpp"

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "sluice/os/kernel.hpp"

namespace sluice::io {

const op_kind send_zero_copy::kind_{.want = interest::out, .attempt = &attempt};

int send_zero_copy::attempt(op& o) noexcept {
    auto& self = static_cast<send_zero_copy&>(o);
    // A short send is ambiguous: a full socket, or pages that the file has no more.
    return static_cast<int>(
        os::sys().send(o.fd(), self.data_, MSG_ZEROCOPY | MSG_DONTWAIT | MSG_NOSIGNAL));
}

result<std::uint32_t> take_zero_copy_notes(int socket) noexcept {
    std::uint32_t freed = 0;
    for (;;) {
        alignas(cmsghdr) std::array<char, 128> control{};
        msghdr message{};
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const auto got = os::sys().recvmsg(socket, message, MSG_ERRQUEUE | MSG_DONTWAIT);
        if (got == -EINTR) continue;
        if (got == -EAGAIN) return freed;
        if (got < 0) return failure_of(static_cast<int>(-got));
        for (cmsghdr* at = CMSG_FIRSTHDR(&message); at != nullptr; at = CMSG_NXTHDR(&message, at)) {
            sock_extended_err notification{};
            std::memcpy(&notification, CMSG_DATA(at), sizeof notification);
            if (notification.ee_origin == SO_EE_ORIGIN_ZEROCOPY)
                freed += notification.ee_data - notification.ee_info + 1;
        }
    }
}

}  // namespace sluice::io
