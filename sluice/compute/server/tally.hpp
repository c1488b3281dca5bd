// What a request-reply service has counted, in memory that forked children share.
#pragma once

#include <atomic>
#include <cstdint>

#include "sluice/base/shared_object.hpp"

namespace sluice::compute {

/// Counters of one service. Any thread, and any process forked after it was made.
struct tally {
    std::atomic<std::uint64_t> at_once = 0;    ///< answered where they were read, refusals too
    std::atomic<std::uint64_t> worked_on = 0;  ///< answered after an effort
    std::atomic<std::uint64_t> busy = 0;       ///< refused, as the queue was full
    std::atomic<std::uint64_t> late = 0;       ///< refused after the deadline
    std::atomic<std::uint64_t> failed = 0;     ///< what should have answered broke
    std::atomic<std::uint64_t> too_long = 0;   ///< messages over the limit
    std::atomic<std::uint64_t> abandoned = 0;  ///< not computed: the client had gone
    std::atomic<std::uint64_t> idle = 0;       ///< connections closed: nothing was asked for long
    std::atomic<std::uint64_t> stalled = 0;    ///< closed: half a question, or answers not read
    std::atomic<std::uint64_t> queued_ns = 0;  ///< waited before an effort began, altogether
    std::atomic<std::uint64_t> worked_ns = 0;  ///< efforts, altogether
    std::atomic<std::uint64_t> longest_queued_ns = 0;

    /// An effort that waited and took so long.
    void count_effort(std::uint64_t queued, std::uint64_t worked) noexcept;
};

/// A tally that forked children share.
using shared_tally = shared_object<tally>;

}  // namespace sluice::compute
