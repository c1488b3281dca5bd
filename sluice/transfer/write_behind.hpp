// Has a growing file written to the disk while more of it arrives.
#pragma once

#include <cstdint>

#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/offload.hpp"

namespace sluice::transfer {

/// For a file that is going to be synced: what has arrived is handed to the disk piece by piece
/// (sync_file_range(2)), and whoever is a window ahead of the disk waits for it. So little is left
/// to sync at the end, and streams that arrive at once share the disk evenly. Left to itself, the
/// kernel writes late, and then holds up whoever it finds writing: of eight uploads of 1 GiB the
/// fastest took half of the time of the slowest.
class write_behind {
 public:
    static constexpr std::uint64_t piece = std::uint64_t{4} << 20;
    static constexpr std::uint64_t window = std::uint64_t{32} << 20;

    /// `file` stays the caller's, and is whole up to `begin`; with `on` false this does nothing.
    /// `workers` wait for the disk where the engine's thread must not, and outlive this; a blocking
    /// engine needs none, on another without them nothing is done either.
    write_behind(int file, std::uint64_t begin, bool on, io::offload_pool* workers) noexcept
        : file_{file}, on_{on}, workers_{workers}, begun_{begin}, done_{begin} {}

    /// Whether there is something to do for a file that is whole up to `end`.
    [[nodiscard]] bool is_due(std::uint64_t end) const noexcept {
        return on_ && end >= begun_ + piece;
    }
    /// Has all of it up to `end` written, and waits until the disk has all but a window. EIO,
    /// ENOSPC or EDQUOT where the disk did not take it, which nobody is told again;
    /// fault::cancelled, fault::queue_full.
    [[nodiscard]] coro::task<result<void>> go_to(io::engine& here, std::uint64_t end);

 private:
    [[nodiscard]] result<void> write(std::uint64_t end) noexcept;

    int file_;
    bool on_;
    io::offload_pool* workers_;
    std::uint64_t begun_;  // up to there the disk was given it
    std::uint64_t done_;   // up to there it was waited for
};

}  // namespace sluice::transfer
