// Chooses the strategy that sends files by the CPU time that each has cost on this machine.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "sluice/io/timer.hpp"
#include "sluice/transfer/to_socket.hpp"

namespace sluice::transfer {

/// Kinds of peers with different costs: on loopback the same cores receive the bytes.
enum class peer_kind : std::uint8_t { loopback, network };

/// The strategies that `auto` chooses from. The cheapest differs from one processor to the next
/// (docs/zero-copy.md), so each gets turns over the first bytes and once in a while later; the
/// strategy that has cost the least CPU time per byte gets all other turns. splice has a pipe per
/// transfer, of which there are only so many: a transfer that gets none in a turn of splice, and
/// one with a slow peer, is sent by sendfile_cork.
inline constexpr std::array send_candidates{to_socket::sendfile_cork, to_socket::sendfile,
                                            to_socket::splice};

/// The costs of the strategies for a kind of peer, over all threads of the process and of those
/// forked from it. Any thread.
class send_costs {
 public:
    /// The index of the candidate that has the next turn.
    [[nodiscard]] std::size_t next_turn() noexcept;
    /// Adds a turn of candidate `index`: bytes sent, and CPU time of its thread in nanoseconds.
    void add(std::size_t index, std::uint64_t bytes, std::uint64_t cpu_ns) noexcept;

    struct row {
        to_socket how;
        std::uint64_t mebibytes;        ///< measured recently
        std::uint64_t us_per_gibibyte;  ///< CPU time; 0 where nothing was measured
        bool chosen;
    };
    [[nodiscard]] std::array<row, send_candidates.size()> rows() const noexcept;

 private:
    struct cost {
        std::atomic<std::uint64_t> bytes = 0;
        std::atomic<std::uint64_t> cpu_ns = 0;
    };
    [[nodiscard]] std::size_t cheapest() const noexcept;
    [[nodiscard]] double per_byte(std::size_t index) const noexcept;

    std::array<cost, send_candidates.size()> costs_;
    std::atomic<std::uint32_t> turns_ = 0;
    std::atomic<std::uint32_t> best_ = 0;
};

/// Shared with the processes that are forked after the first call, if there is memory for that.
[[nodiscard]] send_costs& send_costs_of(peer_kind kind) noexcept;

/// The turns of a thread: all its transfers use the same strategy at a time, so that its CPU time
/// measures that strategy, waits and wake-ups included.
class send_turn {
 public:
    explicit send_turn(peer_kind kind) noexcept : costs_{send_costs_of(kind)} {}

    /// The strategy for the next bytes.
    [[nodiscard]] to_socket now() noexcept;
    /// Counts bytes that were sent. Drops a turn that lasts longer than two seconds.
    void add(std::uint64_t bytes) noexcept;

 private:
    send_costs& costs_;
    std::size_t index_ = 0;
    bool has_turn_ = false;
    std::uint64_t bytes_ = 0;
    std::int64_t cpu_at_begin_ = 0;
    io::time_point begun_{};
};
[[nodiscard]] send_turn& send_turn_of_thread(peer_kind kind) noexcept;

}  // namespace sluice::transfer
