// Operations that receive from a socket: a stream of leases, or into given memory.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "sluice/base/bytes.hpp"
#include "sluice/base/result.hpp"
#include "sluice/io/buffer_pool.hpp"
#include "sluice/io/op.hpp"
#include "sluice/io/record_layer.hpp"
#include "sluice/io/stream.hpp"

namespace sluice::io {

/// Repeated recv(2), each into a buffer of the engine's pool: a descriptor that waits holds none.
/// An empty lease is the end of the stream, also on later calls. On io_uring the kernel receives
/// ahead of the reader, at most about `ahead` buffers, and none as long as each is filled.
class recv_stream final : public stream<recv_stream, lease> {
 public:
    static constexpr std::uint16_t ahead = 4;

    recv_stream(engine& owner, int fd) noexcept : stream{kind_, owner, fd} {}
    ~recv_stream() { drop(); }

    /// Before its first wait: from now on it receives what `layer` decrypts.
    void secure(std::unique_ptr<record_layer> layer) noexcept {
        layer_ = std::move(layer);
        set_kind(secure_kind_);
    }
    /// Null if it receives the bytes of the socket.
    [[nodiscard]] record_layer* layer() const noexcept { return layer_.get(); }

    [[nodiscard]] bool has_result() const noexcept { return count_ > 0 || end_ != open; }
    [[nodiscard]] result<lease> take() noexcept;
    /// Returns received buffers that were not taken.
    void drop() noexcept;

 private:
    static int attempt(op& o) noexcept;
    static void prepare(op& o, io_uring_sqe& entry) noexcept;
    static completion_action complete(op& o, const completion& c) noexcept;
    static const op_kind kind_;
    static const op_kind secure_kind_;

    static constexpr std::int32_t open = 1;

    std::unique_ptr<record_layer> layer_;
    // Small, in this order: there is one of these in each idle connection.
    std::uint16_t count_ = 0;
    std::uint16_t first_ = 0;  // buffers received and not taken, by their buffer_link
    std::uint16_t last_ = 0;
    bool last_filled_ = true;  // the last buffer was filled, or there was none yet
    std::int32_t end_ = open;  // 0 at the end of the stream, else a negative errno
};

/// One recv(2) into memory that stays valid until it completes. The number of bytes; 0 at the end
/// of the stream. With `flags` MSG_WAITALL, on io_uring, only the full size or the end; an error
/// after a part is then lost, and the next recv gives the end.
class recv_into final : public op {
 public:
    /// With a `layer`, plain bytes, and no flags.
    recv_into(engine& owner, int fd, mutable_bytes memory, int flags = 0,
              record_layer* layer = nullptr) noexcept
        : op{layer == nullptr ? kind_ : secure_kind_, owner, fd},
          memory_{memory},
          layer_{layer},
          flags_{flags} {}
    [[nodiscard]] result<std::size_t> await_resume() noexcept { return count(); }

 private:
    static int attempt(op& o) noexcept;
    static int secure_attempt(op& o) noexcept;
    static void prepare(op& o, io_uring_sqe& entry) noexcept;
    static const op_kind kind_;
    static const op_kind secure_kind_;

    mutable_bytes memory_;
    record_layer* layer_;
    int flags_;
};

}  // namespace sluice::io
