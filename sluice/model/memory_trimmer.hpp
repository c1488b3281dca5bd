// Memory trimmer: returns free heap memory to the kernel after a burst of clients.
#pragma once

#include <atomic>
#include <cstdint>

#include "sluice/io/engine.hpp"
#include "sluice/io/mailbox.hpp"
#include "sluice/io/timer.hpp"

namespace sluice::model {

/// Calls malloc_trim(3), which returns free pages within the heap and not only at its end, a second
/// after no more than a quarter of the clients of a burst are left, and again each time that no
/// more than a quarter of those are left: a few that stay longer keep many pages. On the thread of
/// `engine`, which stops for the milliseconds that this takes; at most once per second. Until then
/// no thread of the process keeps free frames.
class memory_trimmer : io::message, io::timer {
 public:
    explicit memory_trimmer(io::engine& engine) noexcept;
    memory_trimmer(const memory_trimmer&) = delete;
    memory_trimmer& operator=(const memory_trimmer&) = delete;
    ~memory_trimmer();

    /// Any thread: how many clients there are now.
    void update(std::uint64_t clients) noexcept;

 private:
    void arm() noexcept;
    void trim() noexcept;

    io::engine& engine_;
    std::atomic<std::uint64_t> clients_ = 0;
    std::atomic<std::uint64_t> most_ = 0;     // since the last burst
    std::atomic<std::uint64_t> least_ = 256;  // clients whose memory is worth a trim
    std::atomic<bool> posted_ = false;
    bool armed_ = false;
};

}  // namespace sluice::model
