// What an engine publishes about its loop, for other threads to read.
#pragma once

#include <atomic>
#include <cstdint>

#include "sluice/base/latency_counts.hpp"
#include "sluice/base/owned_counter.hpp"

namespace sluice::io {

/// The engine's thread writes it at the end of each turn; any thread reads it. Outlives the engine.
struct loop_counters {
    owned_counter turns;                 ///< as engine_counters has it
    owned_counter operations;            ///< the same
    owned_counter at_once;               ///< the same
    owned_counter cancels;               ///< the same
    owned_counter buffer_waits;          ///< the same
    owned_counter submission_overflows;  ///< engine_counters::overflows
    owned_counter completion_overflows;  ///< turns that found io_uring's completion queue overflown
    owned_counter resumed;               ///< coroutines
    owned_counter resumed_last;          ///< of them, in the last turn: the depth of its run queue
    owned_counter cut_short;             ///< turns that left coroutines for the next one
    owned_counter buffers;               ///< leased now
    owned_counter in_flight;             ///< operations, now
    owned_latency busy;                  ///< each turn without its wait
    /// When the turn began that still goes on (os::clock), in nanoseconds; 0 while it waits.
    std::atomic<std::int64_t> busy_since = 0;
};

}  // namespace sluice::io
