// Gives memory back to the system when a burst of clients is over.
#pragma once

#include <atomic>
#include <cstdint>

#include "sluice/io/engine.hpp"
#include "sluice/io/mailbox.hpp"
#include "sluice/io/timer.hpp"

namespace sluice::model {

/// Once no more than a quarter of the clients of a burst are left, and a second has passed in which
/// the others could go, too: malloc_trim(3), which returns free pages within the heap and not only
/// at its end; once more a second later, as often as half of them have gone meanwhile. On the
/// thread of `home`, which stands still for the milliseconds that this takes; at most once a
/// second.
class memory_trimmer : io::letter, io::timer {
 public:
    explicit memory_trimmer(io::engine& home) noexcept;
    memory_trimmer(const memory_trimmer&) = delete;
    memory_trimmer& operator=(const memory_trimmer&) = delete;
    ~memory_trimmer();

    /// Any thread: how many clients there are now.
    void note(std::uint64_t clients) noexcept;

 private:
    void arm() noexcept;
    void trim() noexcept;

    io::engine& home_;
    std::atomic<std::uint64_t> here_ = 0;
    std::atomic<std::uint64_t> most_ = 0;  // since the last burst
    std::atomic<bool> posted_ = false;
    bool armed_ = false;
    std::uint64_t left_ = 0;  // when it was armed
};

}  // namespace sluice::model
