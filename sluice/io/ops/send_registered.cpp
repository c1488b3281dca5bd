// Implements send_registered over IORING_OP_SEND_ZC.
#include "sluice/io/ops/send_registered.hpp"

#include <liburing.h>
#include <sys/socket.h>

namespace sluice::io {

// No attempt: engines that attempt have no registered buffers.
const op_kind send_registered::kind_{
    .want = interest::out, .sends_registered = true, .prepare = &prepare};

void send_registered::prepare(op& o, io_uring_sqe& entry) noexcept {
    auto& self = static_cast<send_registered&>(o);
    self.set_buffer(self.from_.id());
    // With MSG_WAITALL the kernel itself continues after a short send.
    io_uring_prep_send_zc(&entry, o.fd(), self.data_.data(), self.data_.size(),
                          MSG_NOSIGNAL | MSG_WAITALL, 0);
    if (self.from_.index() < 0) return;
    entry.ioprio |= IORING_RECVSEND_FIXED_BUF;
    entry.buf_index = static_cast<__u16>(self.from_.index());
}

}  // namespace sluice::io
