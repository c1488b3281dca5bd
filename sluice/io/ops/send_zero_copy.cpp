// MSG_ZEROCOPY with its notes.
#include "sluice/io/ops/send_zero_copy.hpp"

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace sluice::io {

const op_kind send_zero_copy::kind_{.want = interest::out, .attempt = &attempt};

int send_zero_copy::attempt(op& o) noexcept {
    auto& self = static_cast<send_zero_copy&>(o);
    const auto n = ::send(o.fd(), self.what_.data(), self.what_.size(),
                          MSG_ZEROCOPY | MSG_DONTWAIT | MSG_NOSIGNAL);
    // A part says little: it may be for want of room, or of pages that a file has no more.
    return n < 0 ? -errno : static_cast<int>(n);
}

result<std::uint32_t> take_zero_copy_notes(int socket) noexcept {
    std::uint32_t freed = 0;
    for (;;) {
        alignas(cmsghdr) std::array<char, 128> room{};
        msghdr message{};
        message.msg_control = room.data();
        message.msg_controllen = room.size();
        if (::recvmsg(socket, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN) return freed;
            return failure_of(errno);
        }
        for (cmsghdr* at = CMSG_FIRSTHDR(&message); at != nullptr; at = CMSG_NXTHDR(&message, at)) {
            sock_extended_err note{};
            std::memcpy(&note, CMSG_DATA(at), sizeof note);
            if (note.ee_origin == SO_EE_ORIGIN_ZEROCOPY) freed += note.ee_data - note.ee_info + 1;
        }
    }
}

}  // namespace sluice::io
