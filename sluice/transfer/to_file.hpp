// Ways to get what a socket brings into a file.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>

#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/transfer/moved.hpp"
#include "sluice/transfer/reservation.hpp"
#include "sluice/transfer/write_behind.hpp"

namespace sluice::transfer {

/// Every way, each with how often the CPU copies a byte between the card's memory and the page
/// cache.
enum class to_file : std::uint8_t {
    automatic,      ///< the one that was measured to be the fastest: splice
    recv_write,     ///< two copies: into our memory, and out of it; 64 KiB at a time
    recv_write_1m,  ///< the same, a megabyte at a time
    recv_full,      ///< the same, written in full megabytes at their multiples
    splice,         ///< one copy: the socket's pages go through a pipe and are copied once
    uring_splice,   ///< the same, by threads of io_uring; elsewhere it is splice
    /// Two: into registered buffers of ours, and out of them; io_uring receives into one while it
    /// writes another (IORING_OP_WRITE_FIXED); elsewhere it is recv_full.
    uring_recv_write,
};
/// Every strategy with its name on the command line.
inline constexpr std::array<std::pair<std::string_view, to_file>, 7> to_file_names{
    {{"auto", to_file::automatic},
     {"recv-write", to_file::recv_write},
     {"recv-write-1m", to_file::recv_write_1m},
     {"recv-full", to_file::recv_full},
     {"splice", to_file::splice},
     {"uring-splice", to_file::uring_splice},
     {"uring-recv-write", to_file::uring_recv_write}}};
[[nodiscard]] std::string_view to_text(to_file how) noexcept;

/// Where the bytes go, and how many there may be.
struct file_space {
    int file = -1;
    std::uint64_t offset = 0;
    /// No more than that is received; the rest stays in the socket.
    std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    /// How many will come, if that is known: room for all of them is reserved first.
    std::uint64_t expected = 0;
    bool reserve = true;  ///< room ahead, given back at the end (transfer::reservation)
    /// The caller's, who also finishes it: for a file that is received in several calls.
    reservation* room = nullptr;
    write_behind* behind = nullptr;  ///< the caller's; has what arrives written meanwhile
    /// Where it is given, nothing is waited for: it is set, and the transfer ends, where nothing is
    /// there to be received, so that it holds no memory while the caller waits. Strategies that
    /// fill a buffer before they write it wait all the same.
    bool* dried = nullptr;
};

/// While one lives, the transfers on its thread leave their pipes there for each other.
class shared_pipes {
 public:
    shared_pipes() noexcept;
    shared_pipes(const shared_pipes&) = delete;
    shared_pipes& operator=(const shared_pipes&) = delete;
    ~shared_pipes();
};

/// Receives until the end of the stream, or until `most` bytes have come: how many. ENOSPC, EDQUOT,
/// EFBIG or EIO of the file, after which what it holds is not known; an errno of the socket;
/// fault::cancelled. On any engine; makes the socket non-blocking where the strategy needs that.
/// Nobody else receives meanwhile: recv() of the connection is not used before.
[[nodiscard]] coro::task<result<std::uint64_t>> receive_file(to_file how, net::connection& from,
                                                             file_space into, moved& told);

}  // namespace sluice::transfer
