// Reads and writes a descriptor that other processes share: a terminal, a pipe, a file on stdin.
#pragma once

#include <cstddef>

#include "sluice/base/bytes.hpp"
#include "sluice/base/result.hpp"
#include "sluice/io/op.hpp"

namespace sluice::io {

/// read(2) once there is something to read. Leaves the descriptor's flags alone: O_NONBLOCK on a
/// terminal would reach the shell that lent it. So it looks (poll(2)) before each read, on every
/// engine. The count read; 0 at the end of input.
class read_shared final : public op {
 public:
    read_shared(engine& home, int fd, mutable_bytes room) noexcept
        : op{kind_, home, fd}, room_{room} {}
    [[nodiscard]] result<std::size_t> await_resume() noexcept { return count(); }

 private:
    static int attempt(op& o) noexcept;
    static const op_kind kind_;

    mutable_bytes room_;
};

/// write(2) until the last byte is taken, a piece at a time that does not block where there is room
/// at all (PIPE_BUF, pipe(7)). The whole length, or the first error; EPIPE when the reader is gone,
/// so SIGPIPE must be ignored.
class write_shared final : public op {
 public:
    write_shared(engine& home, int fd, const_bytes what) noexcept
        : op{kind_, home, fd}, what_{what}, length_{what.size()} {}
    [[nodiscard]] bool await_ready() const noexcept { return length_ == 0; }
    [[nodiscard]] result<std::size_t> await_resume() noexcept;

 private:
    static int attempt(op& o) noexcept;
    static verdict complete(op& o, const completion& c) noexcept;
    static const op_kind kind_;

    const_bytes what_;
    std::size_t length_;
};

}  // namespace sluice::io
