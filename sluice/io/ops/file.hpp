// Reads, writes and syncs regular files at given places.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sluice/base/bytes.hpp"
#include "sluice/base/result.hpp"
#include "sluice/io/op.hpp"

namespace sluice::io {

/// One pread(2): how many bytes came, 0 at the end of the file. Files are always ready (epoll(7)
/// refuses them), so on the engines that attempt, a read from a slow disk holds the thread; on
/// io_uring it does not. The memory stays valid until it completes.
class read_at final : public op {
 public:
    /// `registered` is the index of the registered buffer in which `room` lies, or -1.
    read_at(engine& home, int file, mutable_bytes room, std::uint64_t offset,
            int registered = -1) noexcept
        : op{kind_, home, file}, room_{room}, offset_{offset}, registered_{registered} {}
    [[nodiscard]] result<std::size_t> await_resume() noexcept { return count(); }

 private:
    static int attempt(op& o) noexcept;
    static void prepare(op& o, io_uring_sqe& entry) noexcept;
    static const op_kind kind_;

    mutable_bytes room_;
    std::uint64_t offset_;
    int registered_;
};

/// pwrite(2) until the last byte is taken: the whole length, or the first error (ENOSPC, EFBIG,
/// EIO ...), after which what was written is not known. The memory stays valid until it completes.
class write_all_at final : public op {
 public:
    /// `registered` is the index of the registered buffer in which `what` lies, or -1.
    write_all_at(engine& home, int file, const_bytes what, std::uint64_t offset,
                 int registered = -1) noexcept
        : op{kind_, home, file},
          what_{what},
          offset_{offset},
          length_{what.size()},
          registered_{registered} {}
    [[nodiscard]] bool await_ready() const noexcept { return length_ == 0; }
    [[nodiscard]] result<std::size_t> await_resume() noexcept;

 private:
    static int attempt(op& o) noexcept;
    static void prepare(op& o, io_uring_sqe& entry) noexcept;
    static verdict complete(op& o, const completion& c) noexcept;
    static const op_kind kind_;

    const_bytes what_;  // what is still to be written
    std::uint64_t offset_;
    std::size_t length_;
    int registered_;
};

/// fsync(2): returns when the file and what is needed to find it are on the disk. On the engines
/// that attempt it holds the thread: offload it there.
class sync_file final : public op {
 public:
    sync_file(engine& home, int file) noexcept : op{kind_, home, file} {}
    [[nodiscard]] result<void> await_resume() noexcept;

 private:
    static int attempt(op& o) noexcept;
    static void prepare(op& o, io_uring_sqe& entry) noexcept;
    static const op_kind kind_;
};

}  // namespace sluice::io
