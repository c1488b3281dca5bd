// Operation that waits until a descriptor is ready (poll(2)).
#pragma once

#include "sluice/base/result.hpp"
#include "sluice/io/op.hpp"
#include "sluice/io/record_layer.hpp"

namespace sluice::io {

/// poll(2) for one descriptor: completes when it can be read or written without waiting, or has
/// ended. For descriptors that support only readiness, and for those that other processes share.
class poll final : public op {
 public:
    /// `want` is in or out.
    poll(engine& owner, int fd, interest want) noexcept
        : op{want == interest::in ? in_ : out_, owner, fd} {}
    /// Waits to read from a connection, and not if its `layer`, null or not, has bytes already.
    poll(engine& owner, int fd, const record_layer* layer) noexcept
        : op{in_, owner, fd}, layer_{layer} {}
    [[nodiscard]] bool await_ready() const noexcept {
        return layer_ != nullptr && layer_->has_input();
    }
    [[nodiscard]] result<void> await_resume() noexcept;

    /// One poll(2) without waiting, for attempts on descriptors that may be blocking: 0 if ready,
    /// else -EAGAIN or another -errno.
    [[nodiscard]] static int poll_now(int fd, interest want) noexcept;

 private:
    static int attempt(op& o) noexcept;
    static void prepare(op& o, io_uring_sqe& entry) noexcept;
    static const op_kind in_;
    static const op_kind out_;

    const record_layer* layer_ = nullptr;
};

}  // namespace sluice::io
