// What else the machine did while something was measured.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace sluice::lab {

/// Reads the machine's clocks between samples, and says what makes figures doubtful.
class noise {
 public:
    noise();
    /// Just before and just after a sample.
    void begin_sample();
    void end_sample();
    /// Sentences, most important first; none on a quiet machine.
    [[nodiscard]] std::vector<std::string> warnings() const;

    /// The machine's time since it was started, in seconds of all cores.
    struct clocks {
        double busy = 0;    ///< in programs and in the kernel on their behalf
        double stolen = 0;  ///< by the host of this virtual machine
        double ours = 0;    ///< of `busy`, what this process and its children have used
        double now = 0;     ///< that went by on the wall
    };

 private:
    void look_at_frequencies();

    clocks before_;
    double load_average_ = 0;
    std::size_t samples_ = 0;
    std::size_t disturbed_ = 0;
    std::size_t robbed_ = 0;
    double most_others_ = 0;  // cores
    double most_stolen_ = 0;  // cores
    double slowest_ = 0;      // Hz
    double fastest_ = 0;
};

}  // namespace sluice::lab
