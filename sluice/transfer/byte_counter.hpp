// A byte counter for the progress of a transfer.
#pragma once

#include <atomic>
#include <cstdint>

namespace sluice::transfer {

/// Bytes handed over to the kernel's end of a socket, or to a file. Any thread.
class byte_counter {
 public:
    /// Counts `bytes` more.
    void add(std::uint64_t bytes) noexcept { bytes_.fetch_add(bytes, std::memory_order_relaxed); }
    /// Bytes so far.
    [[nodiscard]] std::uint64_t bytes() const noexcept {
        return bytes_.load(std::memory_order_relaxed);
    }

 private:
    std::atomic<std::uint64_t> bytes_ = 0;
};

}  // namespace sluice::transfer
