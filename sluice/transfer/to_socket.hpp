// Strategies that send a part of a file into a socket.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/transfer/byte_counter.hpp"

namespace sluice::transfer {

/// The strategies, each with how often the CPU copies a byte from the page cache to the card.
enum class to_socket : std::uint8_t {
    automatic,      ///< the one that has cost the least CPU time so far (send_choice.hpp)
    read_send,      ///< two copies: into a user buffer, and out of it
    sendfile,       ///< none: the socket refers to the pages of the cache
    sendfile_cork,  ///< none; in steps, and segments leave full (tcp(7), TCP_CORK)
    splice,         ///< none: the pages go through a pipe
    mmap_send,      ///< one: from the mapped page cache
    zero_copy,      ///< none: the mapped pages are pinned (MSG_ZEROCOPY)
    uring_splice,   ///< none: as splice, on kernel threads of io_uring; elsewhere it is splice
    /// One: into registered buffers, which io_uring sends as they are (IORING_OP_SEND_ZC);
    /// elsewhere it is read_send.
    uring_read_send_zc,
};
/// Every strategy with its name on the command line.
inline constexpr std::array<std::pair<std::string_view, to_socket>, 9> to_socket_names{
    {{"auto", to_socket::automatic},
     {"read-send", to_socket::read_send},
     {"sendfile", to_socket::sendfile},
     {"sendfile-cork", to_socket::sendfile_cork},
     {"splice", to_socket::splice},
     {"mmap-send", to_socket::mmap_send},
     {"zero-copy", to_socket::zero_copy},
     {"uring-splice", to_socket::uring_splice},
     {"uring-read-send-zc", to_socket::uring_read_send_zc}}};
/// The name of a strategy on the command line.
[[nodiscard]] std::string_view to_text(to_socket how) noexcept;

/// Bytes of an open file.
struct file_part {
    int file = -1;             ///< a descriptor open for reading; not owned
    std::uint64_t offset = 0;  ///< of the first byte
    std::uint64_t length = 0;  ///< in bytes
};

/// Sends exactly `part`. fault::ended if the file is shorter by now: the peer lacks bytes that it
/// was promised, so the connection is of no more use; a reset frees at once the bytes still to be
/// sent. An errno of the file or of the socket; fault::cancelled. On any engine; makes the socket
/// non-blocking where the strategy needs that. No other task sends meanwhile.
[[nodiscard]] coro::task<result<void>> send_file(to_socket how, net::connection& to, file_part part,
                                                 byte_counter& counter);

}  // namespace sluice::transfer
