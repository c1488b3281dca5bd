// Plain sockets and blocking calls: the other side of what is tested.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/io/buffer_pool.hpp"
#include "sluice/os/fd.hpp"

namespace sluice::test {

/// Two ends of one stream; both block.
struct socket_pair {
    unique_fd ours;
    unique_fd theirs;
};
/// Local sockets: what one end sends can be received by the other as soon as the call returns.
[[nodiscard]] socket_pair local_pair();
/// The same over TCP on 127.0.0.1, for what only TCP has: resets, options, addresses.
[[nodiscard]] socket_pair tcp_pair();
/// The least that the kernel buffers, in both directions.
void shrink_buffers(int fd);
/// The next close(2) of this socket sends a reset.
void reset_at_close(int fd);

/// A TCP socket that listens on 127.0.0.1 at a port of the kernel's choice.
struct listening {
    unique_fd socket;
    std::uint16_t port = 0;
};
[[nodiscard]] listening listen_on_loopback(int backlog = 4096);
/// A socket that is connected there.
[[nodiscard]] unique_fd connect_to(std::uint16_t port);

/// All of it, however long that takes.
void write_all(int fd, std::string_view text);
/// `size` bytes, or fewer at the end of the stream.
[[nodiscard]] std::string read_exactly(int fd, std::size_t size);
/// Up to the end of the stream; a reset is an end, too.
[[nodiscard]] std::string read_to_end(int fd);
/// What is there, without waiting.
[[nodiscard]] std::string read_what_is_there(int fd);
/// Sends until the kernel takes no more, without waiting. How many bytes that were.
std::size_t fill(int fd);

/// `size` bytes that do not repeat in any short period, so that what is lost or comes twice shows.
[[nodiscard]] std::string pattern(std::size_t size);

/// For comparisons: the bytes that came, `(end)`, or the error's words in parentheses.
[[nodiscard]] std::string shown(const result<io::lease>& got);
/// `(ok)`, a number, or the error's words in parentheses.
[[nodiscard]] std::string shown(const result<void>& done);
[[nodiscard]] std::string shown(const result<std::size_t>& count);
[[nodiscard]] std::string shown(const result<int>& count);

}  // namespace sluice::test
