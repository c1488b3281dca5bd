// Defines the counters of a request-reply service, in memory that forked children share.
#pragma once

#include <atomic>
#include <cstdint>

#include "sluice/base/latency_counts.hpp"
#include "sluice/base/spread.hpp"
#include "sluice/os/shared_object.hpp"

namespace sluice::compute {

/// How long jobs took.
struct job_times {
    shared_latency queued;  ///< before they ran
    shared_latency worked;
};

/// Counters of one service. Any thread, and any process forked after it was made.
struct compute_counters {
    std::atomic<std::uint64_t> at_once = 0;    ///< answered at once, refusals included
    std::atomic<std::uint64_t> worked_on = 0;  ///< answered after a job
    std::atomic<std::uint64_t> busy = 0;       ///< refused: the queue was full
    std::atomic<std::uint64_t> late = 0;       ///< refused: waited longer than the deadline
    std::atomic<std::uint64_t> failed = 0;     ///< the handler failed
    std::atomic<std::uint64_t> too_long = 0;   ///< questions over the limit
    std::atomic<std::uint64_t> strangers = 0;  ///< connections closed: they speak HTTP or TLS
    std::atomic<std::uint64_t> abandoned = 0;  ///< not run: the client had gone
    std::atomic<std::uint64_t> idle = 0;       ///< connections closed: no question within idle_time
    std::atomic<std::uint64_t> stalled = 0;    ///< connections closed: over stall_time
    std::atomic<std::uint64_t> queued_ns = 0;  ///< total waiting time of jobs
    std::atomic<std::uint64_t> worked_ns = 0;  ///< total running time of jobs
    std::atomic<std::uint64_t> longest_queued_ns = 0;
    spread<job_times> times;

    /// Counts a job that waited `queued` ns and ran `worked` ns.
    void count_job(std::uint64_t queued, std::uint64_t worked) noexcept;
};

/// Counters that forked children share.
using shared_counters = shared_object<compute_counters>;

}  // namespace sluice::compute
