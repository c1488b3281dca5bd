// Detects what disturbed a measurement: other programs, steal time, run-queue wait, frequency.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace sluice::lab {

/// Disturbances of a sample, in cores.
struct disturbance {
    double others = 0;          ///< CPU that other programs used
    double stolen = 0;          ///< steal time: CPU that the host of this virtual machine took
    double run_queue_wait = 0;  ///< share of the time that server or load waited for its core

    /// The largest disturbance relative to its threshold; above 1 the sample counts as disturbed.
    [[nodiscard]] double size() const noexcept;
};

/// Reads the machine's clocks around samples and reports disturbances. One thread.
class noise {
 public:
    /// CPU time since boot, in seconds over all cores.
    struct clocks {
        double busy = 0;    ///< user, nice and system time
        double stolen = 0;  ///< steal time
        double ours = 0;    ///< part of `busy` that this process and its reaped children used
        double now = 0;     ///< monotonic time
    };

    noise();
    /// Uses `read` instead of the machine's clocks; a sample reads it twice.
    explicit noise(std::function<clocks()> read);
    /// Call right before a sample.
    void begin_sample();
    /// Call right after a sample; `run_queue_wait` is the sample's own measurement, a share of its
    /// time. A sample shorter than 0.1 s counts as undisturbed.
    disturbance end_sample(double run_queue_wait = 0);
    /// Observes the machine for `time` while it should be idle: a sentence that names the
    /// disturbance and the remedy, or an empty string. Does not count as a sample.
    [[nodiscard]] std::string look_around(std::chrono::milliseconds time);
    /// Warnings as sentences, most important first; empty on an idle machine.
    [[nodiscard]] std::vector<std::string> warnings() const;

 private:
    void read_frequencies();

    std::function<clocks()> read_;
    clocks before_;
    double load_average_ = 0;
    std::size_t samples_ = 0;
    std::size_t disturbed_ = 0;
    std::size_t stolen_ = 0;
    std::size_t run_queue_wait_ = 0;
    disturbance most_;
    double slowest_ = 0;  // Hz
    double fastest_ = 0;  // Hz
};

}  // namespace sluice::lab
