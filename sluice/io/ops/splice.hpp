// Moves pages between a pipe and a file or socket inside the kernel.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sluice/base/result.hpp"
#include "sluice/io/op.hpp"

namespace sluice::io {

/// One splice(2), of which one side is a pipe that is not waited for: it is drained or has room.
/// How many bytes moved; 0 at the end of what was read.
class splice final : public op {
 public:
    /// Which side may have to be waited for.
    enum class waits_for : std::uint8_t {
        source,  ///< a socket that has bytes
        target,  ///< a socket that has room
        nobody,  ///< a regular file: always ready, and held by the thread while a disk is slow
        kernel,  ///< io_uring's own splice, which a thread of the kernel carries out
    };
    /// No offset: where the descriptor stands, for pipes and sockets.
    static constexpr std::int64_t here = -1;

    splice(engine& home, waits_for who, int source, std::int64_t source_offset, int target,
           std::int64_t target_offset, std::size_t length) noexcept
        : op{kind_of(who), home, who == waits_for::target ? target : source},
          source_{source},
          target_{target},
          source_offset_{source_offset},
          target_offset_{target_offset},
          length_{length} {}
    [[nodiscard]] result<std::size_t> await_resume() noexcept { return count(); }

 private:
    [[nodiscard]] static const op_kind& kind_of(waits_for who) noexcept;
    static int attempt(op& o) noexcept;
    static int attempt_and_wait(op& o) noexcept;
    static void prepare(op& o, io_uring_sqe& entry) noexcept;
    [[nodiscard]] int call(unsigned flags) noexcept;

    int source_;
    int target_;
    std::int64_t source_offset_;
    std::int64_t target_offset_;
    std::size_t length_;
};

}  // namespace sluice::io
