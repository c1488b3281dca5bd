// What else the machine did while something was measured.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace sluice::lab {

/// What disturbed a sample, in cores.
struct disturbance {
    double others = 0;    ///< used by other programs
    double stolen = 0;    ///< taken away by the host of this virtual machine
    double kept_off = 0;  ///< that server or load stood ready for and had not, though it was theirs

    /// How many times as much it is as what can be let pass: above 1 a sample is disturbed.
    [[nodiscard]] double size() const noexcept;
};

/// Reads the machine's clocks between samples, and says what makes figures doubtful.
class noise {
 public:
    /// The machine's time since it was started, in seconds of all cores.
    struct clocks {
        double busy = 0;    ///< in programs and in the kernel on their behalf
        double stolen = 0;  ///< by the host of this virtual machine
        double ours = 0;    ///< of `busy`, what this process and its children have used
        double now = 0;     ///< that went by on the wall
    };

    noise();
    /// With other clocks, which are read twice a sample.
    explicit noise(std::function<clocks()> read);
    /// Just before a sample.
    void begin_sample();
    /// Just after it; `kept_off` is what the sample itself knows. What was too short to tell is not
    /// disturbed.
    disturbance end_sample(double kept_off = 0);
    /// Looks for `time` at a machine that should be at rest: a sentence on what keeps it busy and
    /// what to do about it, or nothing. No sample.
    [[nodiscard]] std::string look_around(std::chrono::milliseconds time);
    /// Sentences, most important first; none on a quiet machine.
    [[nodiscard]] std::vector<std::string> warnings() const;

 private:
    void look_at_frequencies();

    std::function<clocks()> read_;
    clocks before_;
    double load_average_ = 0;
    std::size_t samples_ = 0;
    std::size_t disturbed_ = 0;
    std::size_t robbed_ = 0;
    std::size_t kept_off_ = 0;
    disturbance most_;
    double slowest_ = 0;  // Hz
    double fastest_ = 0;
};

}  // namespace sluice::lab
