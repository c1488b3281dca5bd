// Shows the progress of a lab run: current sample, round, remaining time.
#pragma once

#include <cstddef>
#include <string>

#include "sluice/io/timer.hpp"
#include "sluice/term/progress_line.hpp"

namespace sluice::lab {

/// Draws a bar if stderr is a terminal; else writes a line per round over all cases. One thread.
class progress {
 public:
    using clock = io::clock;
    /// Writes text to stderr: whole lines, or parts of the bar. Must not block on a slow reader.
    using sink = term::progress_line::sink;

    /// `end` is when the run ends unless its rounds are done earlier; every case has between
    /// `fewest` and `most` rounds. Without `write` nothing is shown.
    progress(std::size_t cases, clock::time_point end, sink write, std::size_t fewest = 1,
             std::size_t most = 1);

    /// A case begins its counted round `number`, from 1; a repeated round has the same number
    /// again. `done` is the share of the maximum number of rounds, 0 to 1.
    void begin_round(std::size_t number, double done);
    /// Redraws the bar with `activity`, the current sample, as its text.
    void show(const std::string& activity);

 private:
    [[nodiscard]] double share() const;
    [[nodiscard]] std::string time_left() const;
    [[nodiscard]] std::string rounds() const;

    std::size_t cases_;
    std::size_t fewest_;
    std::size_t most_;
    std::size_t round_ = 0;
    double by_rounds_ = 0;
    clock::time_point begun_ = clock::now();
    clock::time_point end_;
    sink write_;
    term::progress_line line_;
};

}  // namespace sluice::lab
