// Operation that sends a part of a file to a socket or another file in the kernel (sendfile(2)).
#pragma once

#include <cstddef>
#include <cstdint>

#include "sluice/base/result.hpp"
#include "sluice/io/op.hpp"

namespace sluice::io {

/// One sendfile(2): the bytes that the target took; 0 where the file ends. io_uring has no such
/// operation: it polls the socket and attempts, as epoll does. The socket must be non-blocking, on
/// every engine: the call has no flag for that. A target file is written at its own position, is
/// always ready, and blocks the thread.
class sendfile final : public op {
 public:
    enum class into : std::uint8_t { socket, file };
    sendfile(engine& owner, int target, int file, std::uint64_t offset, std::size_t length,
             into what = into::socket) noexcept
        : op{what == into::socket ? to_socket_ : to_file_, owner, target},
          file_{file},
          offset_{offset},
          length_{length} {}
    [[nodiscard]] result<std::size_t> await_resume() noexcept { return count(); }

 private:
    static int attempt(op& o) noexcept;
    static const op_kind to_socket_;
    static const op_kind to_file_;

    int file_;
    std::uint64_t offset_;
    std::size_t length_;
};

}  // namespace sluice::io
