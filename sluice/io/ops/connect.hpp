// Operation that connects a socket (connect(2)).
#pragma once

#include <sys/socket.h>

#include "sluice/base/result.hpp"
#include "sluice/io/op.hpp"

namespace sluice::io {

/// connect(2) on an attached socket; the address stays valid until it completes. ECONNREFUSED if no
/// socket listens there. After an error or a cancel the socket is of no further use.
class connect final : public op {
 public:
    connect(engine& owner, int fd, const sockaddr* address, socklen_t length) noexcept
        : op{kind_, owner, fd}, address_{address}, length_{length} {}
    [[nodiscard]] result<void> await_resume() noexcept;

 private:
    static int attempt(op& o) noexcept;
    static void prepare(op& o, io_uring_sqe& entry) noexcept;
    static const op_kind kind_;

    const sockaddr* address_;
    socklen_t length_;
};

}  // namespace sluice::io
