// Strategies that receive from a socket into a file.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/os/mutex.hpp"
#include "sluice/os/pipe.hpp"
#include "sluice/transfer/byte_counter.hpp"
#include "sluice/transfer/reservation.hpp"
#include "sluice/transfer/write_behind.hpp"

namespace sluice::transfer {

/// The strategies, each with how often the CPU copies a byte between the card's memory and the page
/// cache.
enum class to_file : std::uint8_t {
    automatic,      ///< the fastest one measured: splice
    recv_write,     ///< two copies: into a user buffer, and out of it; 64 KiB at a time
    recv_write_1m,  ///< the same, a megabyte at a time
    recv_full,      ///< the same, written in full megabytes at multiples of one
    splice,         ///< one copy: the socket's pages go through a pipe and are copied once
    uring_splice,   ///< the same, on kernel threads of io_uring; elsewhere it is splice
    /// Two: into registered buffers, and out of them; io_uring receives into one while it writes
    /// another (IORING_OP_WRITE_FIXED); elsewhere it is recv_full.
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
/// The name of a strategy on the command line.
[[nodiscard]] std::string_view to_text(to_file how) noexcept;

/// Free pipes of a server's transfers: a transfer has one while bytes go through it, so that a
/// silent peer holds none. Any thread. It has no pipe while it has no user, and outlives its users.
class shared_pipes {
 public:
    /// A transfer, or several of one file: the last one that ends closes the free pipes.
    class user {
     public:
        /// `of` outlives it.
        explicit user(shared_pipes& of) noexcept;
        user(const user&) = delete;
        user& operator=(const user&) = delete;
        ~user();

     private:
        shared_pipes& of_;
    };

    shared_pipes() noexcept = default;
    shared_pipes(const shared_pipes&) = delete;
    shared_pipes& operator=(const shared_pipes&) = delete;
    ~shared_pipes() = default;

    /// A free pipe, or a new one. Errno of pipe2(2).
    [[nodiscard]] result<pipe_ends> take() noexcept;
    /// `pipe` must be empty. Closes it where enough are free.
    void give_back(pipe_ends pipe) noexcept;

 private:
    static constexpr std::size_t most_free = 16;
    os::mutex mutex_;
    std::array<std::optional<pipe_ends>, most_free> free_;
    std::size_t count_ = 0;  // of free_
    std::size_t users_ = 0;
};

/// The target of a transfer, and its limits.
struct file_space {
    int file = -1;             ///< a descriptor open for writing; not owned
    std::uint64_t offset = 0;  ///< of the first byte that is written
    /// At most this many bytes are received; the rest stays in the socket.
    std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    /// Bytes that will come, if known: space for all of them is reserved first.
    std::uint64_t expected = 0;
    bool reserve = true;  ///< reserve space ahead, and release it at the end (reservation)
    /// Owned and finished by the caller: for a file that is received in several calls.
    reservation* reserved = nullptr;
    write_behind* behind = nullptr;  ///< the caller's; writes the file to the disk meanwhile
    /// The caller's, for strategies that need a pipe; without it, a transfer keeps one to its end.
    shared_pipes* pipes = nullptr;
    /// If given, the transfer does not wait: when the socket is empty, it sets this and ends, so
    /// that it holds no memory while the caller waits. Strategies that fill a buffer before they
    /// write it wait all the same.
    bool* dried = nullptr;
};

/// Receives until the end of the stream, or until `most` bytes have come; returns their number.
/// ENOSPC, EDQUOT, EFBIG or EIO of the file, after which its content is unknown; an errno of the
/// socket; fault::cancelled. On any engine; makes the socket non-blocking where the strategy needs
/// that. No other task receives meanwhile, and recv() of the connection is not used before.
[[nodiscard]] coro::task<result<std::uint64_t>> receive_file(to_file how, net::connection& from,
                                                             file_space into,
                                                             byte_counter& counter);

}  // namespace sluice::transfer
