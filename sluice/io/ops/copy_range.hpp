// Operation that copies from one file to another in the kernel (copy_file_range(2)).
#pragma once

#include <cstddef>
#include <cstdint>

#include "sluice/base/result.hpp"
#include "sluice/io/op.hpp"

namespace sluice::io {

/// One copy_file_range(2), from an offset in one regular file to the same offset in another: the
/// number of bytes; 0 where the source ends. A file system that can share blocks copies nothing.
/// Blocks the thread, as io_uring has no such operation: offload it from an event loop.
class copy_range final : public op {
 public:
    copy_range(engine& owner, int from, int to, std::uint64_t offset, std::size_t length) noexcept
        : op{kind_, owner, from}, to_{to}, offset_{offset}, length_{length} {}
    [[nodiscard]] result<std::size_t> await_resume() noexcept { return count(); }

 private:
    static int attempt(op& o) noexcept;
    static const op_kind kind_;

    int to_;
    std::uint64_t offset_;
    std::size_t length_;
};

}  // namespace sluice::io
