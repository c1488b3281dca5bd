// Memory trimmer: returns free heap memory to the kernel after a burst of clients.
#pragma once

#include <cstdint>

#include "sluice/io/engine.hpp"
#include "sluice/io/timer.hpp"

namespace sluice::model {

/// Calls malloc_trim(3), which returns free pages within the heap and not only at its end, a second
/// after no more than a quarter of the clients of a burst are left, and again each time that no
/// more than a quarter of those are left: a few that stay longer keep many pages. Also while
/// clients come and go: once 256 have left, at most once per minute, and for a thousandth of the
/// time at most, so that what lies free between those of different times does not add up. Returns
/// the free frames of its thread before that. Of several threads that are about to, the last one
/// calls it. Of the thread of `engine`, which stops meanwhile: 0.3 to 1.8 ms were seen for a heap
/// of 50 MiB.
class memory_trimmer : io::timer {
 public:
    /// For a thread that has one of `shares` equal shares of all clients.
    explicit memory_trimmer(io::engine& engine, unsigned shares = 1) noexcept;
    memory_trimmer(const memory_trimmer&) = delete;
    memory_trimmer& operator=(const memory_trimmer&) = delete;
    ~memory_trimmer();

    /// How many clients this thread has now.
    void update(std::uint64_t clients) noexcept;

 private:
    io::engine& engine_;
    std::uint64_t least_burst_;
    std::uint64_t least_;     // clients whose memory is worth a trim
    std::uint64_t most_ = 0;  // since the last burst
    std::uint64_t clients_ = 0;
    std::uint64_t left_ = 0;  // since it was armed
    bool armed_ = false;
};

}  // namespace sluice::model
