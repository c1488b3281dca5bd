// Messages with descriptors between processes, over a pair of Unix sockets (unix(7), SCM_RIGHTS).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/os/fd.hpp"

namespace sluice::os {

/// Two ends that keep the bounds of messages (SOCK_SEQPACKET), closed on exec.
struct message_pair {
    unique_fd one;
    unique_fd other;
};
/// Errno of socketpair(2).
[[nodiscard]] result<message_pair> make_message_pair() noexcept;

/// Bytes with copies of descriptors, of which 253 fit.
struct descriptor_message {
    static constexpr std::size_t longest = 4096;  ///< bytes of `text`
    std::string text;
    std::vector<unique_fd> descriptors;
};

/// Sends a message without waiting. Errno of sendmsg(2): EAGAIN if the other end has read nothing
/// for long, EPIPE if it is gone, E2BIG if the message is too long.
[[nodiscard]] result<void> send_message(int socket, std::string_view text,
                                        std::span<const int> descriptors = {}) noexcept;

/// The next message, of which there is one without waiting; an empty one if the other end is gone.
/// Its descriptors are closed on exec. Errno of recvmsg(2): EAGAIN if there is none; ENOMEM.
[[nodiscard]] result<descriptor_message> receive_message(int socket) noexcept;

}  // namespace sluice::os
