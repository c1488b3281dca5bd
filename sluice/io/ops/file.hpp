// Operations that read, write and sync regular files at given offsets.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sluice/base/bytes.hpp"
#include "sluice/base/result.hpp"
#include "sluice/io/op.hpp"

namespace sluice::io {

/// One pread(2): the number of bytes, 0 at the end of the file. Files are always ready (epoll(7)
/// refuses them), so a slow disk blocks the thread on engines that attempt; on io_uring it does
/// not. The memory stays valid until it completes.
class read_at final : public op {
 public:
    /// `registered` is the index of the registered buffer that contains `memory`, or -1.
    read_at(engine& owner, int file, mutable_bytes memory, std::uint64_t offset,
            int registered = -1) noexcept
        : op{kind_, owner, file}, memory_{memory}, offset_{offset}, registered_{registered} {}
    [[nodiscard]] result<std::size_t> await_resume() noexcept { return count(); }

 private:
    static int attempt(op& o) noexcept;
    static void prepare(op& o, io_uring_sqe& entry) noexcept;
    static const op_kind kind_;

    mutable_bytes memory_;
    std::uint64_t offset_;
    int registered_;
};

/// pwrite(2) until the last byte is taken: the whole length, or the first error (ENOSPC, EFBIG, EIO
/// ...), after which the amount written is unknown. The memory stays valid until it completes.
class write_all_at final : public op {
 public:
    /// `registered` is the index of the registered buffer that contains `data`, or -1.
    write_all_at(engine& owner, int file, const_bytes data, std::uint64_t offset,
                 int registered = -1) noexcept
        : op{kind_, owner, file},
          data_{data},
          offset_{offset},
          length_{data.size()},
          registered_{registered} {}
    [[nodiscard]] bool await_ready() const noexcept { return length_ == 0; }
    [[nodiscard]] result<std::size_t> await_resume() noexcept;

 private:
    static int attempt(op& o) noexcept;
    static void prepare(op& o, io_uring_sqe& entry) noexcept;
    static completion_action complete(op& o, const completion& c) noexcept;
    static const op_kind kind_;

    const_bytes data_;  // not written yet
    std::uint64_t offset_;
    std::size_t length_;
    int registered_;
};

/// fsync(2): returns when the file's data and metadata are on the disk; its directory entry may not
/// be. Blocks the thread on engines that attempt: offload it there.
class sync_file final : public op {
 public:
    sync_file(engine& owner, int file) noexcept : op{kind_, owner, file} {}
    [[nodiscard]] result<void> await_resume() noexcept;

 private:
    static int attempt(op& o) noexcept;
    static void prepare(op& o, io_uring_sqe& entry) noexcept;
    static const op_kind kind_;
};

}  // namespace sluice::io
