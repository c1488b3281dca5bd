// Implements messages with descriptors over sendmsg(2) and recvmsg(2).
#include "sluice/os/descriptor_passing.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <new>

#include "sluice/os/kernel.hpp"

namespace sluice::os {
namespace {

constexpr std::size_t most_descriptors = 253;  // SCM_MAX_FD
constexpr std::size_t control_size = CMSG_SPACE(most_descriptors * sizeof(int));

/// Takes the descriptors out of a message.
void take_descriptors(msghdr& message, std::vector<unique_fd>& into) {
    for (cmsghdr* each = CMSG_FIRSTHDR(&message); each != nullptr;
         each = CMSG_NXTHDR(&message, each)) {
        if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (each->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        std::array<int, most_descriptors> numbers{};
        std::memcpy(numbers.data(), CMSG_DATA(each), count * sizeof(int));
        for (std::size_t i = 0; i < count; ++i) into.emplace_back(numbers.at(i));
    }
}

}  // namespace

result<message_pair> make_message_pair() noexcept {
    std::array<int, 2> ends{};
    const int failed = sys().socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, ends);
    if (failed < 0) return failure_of(-failed);
    return message_pair{.one = unique_fd{ends[0]}, .other = unique_fd{ends[1]}};
}

result<void> send_message(int socket, std::string_view text,
                          std::span<const int> descriptors) noexcept {
    if (descriptors.size() > most_descriptors || text.size() > descriptor_message::longest) {
        return failure_of(E2BIG);
    }
    std::array<char, descriptor_message::longest> bytes{};
    std::memcpy(bytes.data(), text.data(), text.size());
    iovec part{.iov_base = bytes.data(), .iov_len = text.size()};
    alignas(cmsghdr) std::array<char, control_size> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!descriptors.empty()) {
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
        cmsghdr* rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
        std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
    }
    ssize_t sent = -EINTR;
    while (sent == -EINTR) sent = sys().sendmsg(socket, message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) return failure_of(static_cast<int>(-sent));
    return {};
}

result<descriptor_message> receive_message(int socket) noexcept try {
    descriptor_message received;
    received.text.resize(descriptor_message::longest);
    received.descriptors.reserve(most_descriptors);
    iovec part{.iov_base = received.text.data(), .iov_len = received.text.size()};
    alignas(cmsghdr) std::array<char, control_size> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t size = -EINTR;
    while (size == -EINTR) {
        size = sys().recvmsg(socket, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    }
    // The other end may have ended with messages unread.
    if (size == -ECONNRESET) size = 0;
    if (size < 0) return failure_of(static_cast<int>(-size));
    take_descriptors(message, received.descriptors);
    received.text.resize(static_cast<std::size_t>(size));
    return received;
} catch (const std::bad_alloc&) {
    return failure_of(ENOMEM);
}

}  // namespace sluice::os
