// Operations on a descriptor that other processes share: a terminal, a pipe, a file on stdin.
#pragma once

#include <cstddef>

#include "sluice/base/bytes.hpp"
#include "sluice/base/result.hpp"
#include "sluice/io/op.hpp"

namespace sluice::io {

/// read(2) once the descriptor is readable. Leaves its flags alone: O_NONBLOCK on a terminal would
/// affect the shell that shares it. So it calls poll(2) before each read, on every engine. The
/// number of bytes; 0 at the end of input.
class read_shared final : public op {
 public:
    read_shared(engine& owner, int fd, mutable_bytes memory) noexcept
        : op{kind_, owner, fd}, memory_{memory} {}
    [[nodiscard]] result<std::size_t> await_resume() noexcept { return count(); }

 private:
    static int attempt(op& o) noexcept;
    static const op_kind kind_;

    mutable_bytes memory_;
};

/// write(2) until the last byte is taken, in pieces that do not block if there is any space
/// (PIPE_BUF, pipe(7)). The whole length, or the first error; EPIPE when the reader is gone, so
/// SIGPIPE must be ignored.
class write_shared final : public op {
 public:
    write_shared(engine& owner, int fd, const_bytes data) noexcept
        : op{kind_, owner, fd}, data_{data}, length_{data.size()} {}
    [[nodiscard]] bool await_ready() const noexcept { return length_ == 0; }
    [[nodiscard]] result<std::size_t> await_resume() noexcept;

 private:
    static int attempt(op& o) noexcept;
    static completion_action complete(op& o, const completion& c) noexcept;
    static const op_kind kind_;

    const_bytes data_;
    std::size_t length_;
};

}  // namespace sluice::io
