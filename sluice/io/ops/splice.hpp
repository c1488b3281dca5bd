// Operation that moves pages between a pipe and a file or socket in the kernel (splice(2)).
#pragma once

#include <cstddef>
#include <cstdint>

#include "sluice/base/result.hpp"
#include "sluice/io/op.hpp"

namespace sluice::io {

/// One splice(2), one side of which is a pipe that is never waited for: it is drained or has space.
/// The bytes moved; 0 at the end of the source.
class splice final : public op {
 public:
    /// The side that the operation may have to wait for.
    enum class waits_for : std::uint8_t {
        source,  ///< a socket that receives bytes
        target,  ///< a socket that gets space
        none,    ///< a regular file, always ready; a slow disk blocks the thread
        kernel,  ///< io_uring's own splice, which a kernel thread executes
    };
    /// No offset: for pipes and sockets.
    static constexpr std::int64_t no_offset = -1;

    splice(engine& owner, waits_for side, int source, std::int64_t source_offset, int target,
           std::int64_t target_offset, std::size_t length) noexcept
        : op{kind_of(side), owner, side == waits_for::target ? target : source},
          source_{source},
          target_{target},
          source_offset_{source_offset},
          target_offset_{target_offset},
          length_{length} {}
    [[nodiscard]] result<std::size_t> await_resume() noexcept { return count(); }

 private:
    [[nodiscard]] static const op_kind& kind_of(waits_for side) noexcept;
    static int attempt(op& o) noexcept;
    static int attempt_and_wait(op& o) noexcept;
    static void prepare(op& o, io_uring_sqe& entry) noexcept;
    [[nodiscard]] int splice_once(unsigned flags) noexcept;

    int source_;
    int target_;
    std::int64_t source_offset_;
    std::int64_t target_offset_;
    std::size_t length_;
};

}  // namespace sluice::io
