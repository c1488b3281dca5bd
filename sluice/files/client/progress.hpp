// Progress of one file transfer: written by one thread, read by any.
#pragma once

#include <atomic>
#include <cstdint>

#include "sluice/io/timer.hpp"
#include "sluice/transfer/byte_counter.hpp"

namespace sluice::files {

enum class phase : std::uint8_t {
    connecting,
    checking,  ///< reading the file for its digest
    moving,
    waiting,  ///< before another attempt
    keeping,  ///< all bytes are transferred; the receiver still stores them
};

/// Written by the thread that transfers the file, read by any thread.
class progress {
 public:
    static constexpr std::uint64_t unknown = ~std::uint64_t{0};

    /// Counts `bytes` of the file as transferred: an earlier attempt left them.
    void start_at(std::uint64_t bytes) noexcept {
        base_.store(bytes - counter_.bytes(), std::memory_order_relaxed);
    }
    void set_total(std::uint64_t bytes) noexcept { total_.store(bytes, std::memory_order_relaxed); }
    void enter(phase p) noexcept {
        if (p == phase::moving && !moves()) {
            since_.store(io::clock::now(), std::memory_order_relaxed);
        }
        phase_.store(p, std::memory_order_relaxed);
    }

    /// Counts the bytes that are transferred.
    [[nodiscard]] transfer::byte_counter& transferred() noexcept { return counter_; }
    /// Counts the bytes that are read for the digest.
    [[nodiscard]] transfer::byte_counter& checked() noexcept { return checked_; }

    /// Bytes of the file that are transferred, those of earlier attempts included.
    [[nodiscard]] std::uint64_t done() const noexcept {
        return base_.load(std::memory_order_relaxed) + counter_.bytes();
    }
    /// Bytes transferred since construction, repeated ones included.
    [[nodiscard]] std::uint64_t of_this_attempt() const noexcept { return counter_.bytes(); }
    [[nodiscard]] std::uint64_t checked_so_far() const noexcept { return checked_.bytes(); }
    /// The file's size, or `unknown`.
    [[nodiscard]] std::uint64_t total() const noexcept {
        return total_.load(std::memory_order_relaxed);
    }
    /// The transfer has begun, at moving_since().
    [[nodiscard]] bool moves() const noexcept { return moving_since() != io::never; }
    [[nodiscard]] io::time_point moving_since() const noexcept {
        return since_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] phase now() const noexcept { return phase_.load(std::memory_order_relaxed); }

 private:
    transfer::byte_counter counter_;
    transfer::byte_counter checked_;
    // Wraps around below zero where bytes were sent that the other side then did not have.
    std::atomic<std::uint64_t> base_ = 0;
    std::atomic<std::uint64_t> total_ = unknown;
    std::atomic<io::time_point> since_ = io::never;
    std::atomic<phase> phase_ = phase::connecting;
};

}  // namespace sluice::files
