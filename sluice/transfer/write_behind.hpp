// Writes a growing file to the disk while more of it arrives (sync_file_range(2)).
#pragma once

#include <cstdint>

#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/offload.hpp"

namespace sluice::transfer {

/// For a file that will be synced: hands arrived bytes to the disk piece by piece
/// (sync_file_range(2)), and makes a writer that is a window ahead of the disk wait. So little is
/// left to sync at the end, and streams that arrive at once share the disk evenly. By itself the
/// kernel writes late, and then blocks the writers that it finds: of eight uploads of 1 GiB the
/// fastest took half of the time of the slowest.
class write_behind {
 public:
    static constexpr std::uint64_t piece = std::uint64_t{4} << 20;
    static constexpr std::uint64_t window = std::uint64_t{32} << 20;

    /// The caller owns `file`, which is complete up to `begin`; with `on` false this does nothing.
    /// `workers` wait for the disk where the engine's thread must not, and outlive this; a blocking
    /// engine needs none, and another engine without them does nothing either.
    write_behind(int file, std::uint64_t begin, bool on, io::offload_pool* workers) noexcept
        : file_{file}, on_{on}, workers_{workers}, begun_{begin}, done_{begin} {}

    /// Whether go_to() has a piece to write for a file that is complete up to `end`.
    [[nodiscard]] bool is_due(std::uint64_t end) const noexcept {
        return on_ && end >= begun_ + piece;
    }
    /// Starts to write the file up to `end`, and waits until the disk has all but a window of it.
    /// EIO, ENOSPC or EDQUOT of the disk, which the kernel reports only once; fault::cancelled.
    /// After any other error it does nothing more, and reports none.
    [[nodiscard]] coro::task<result<void>> go_to(io::engine& engine, std::uint64_t end);

 private:
    [[nodiscard]] result<void> write(std::uint64_t end) noexcept;

    int file_;
    bool on_;
    io::offload_pool* workers_;
    std::uint64_t begun_;  // writing has started up to here
    std::uint64_t done_;   // and has been waited for up to here
};

}  // namespace sluice::transfer
