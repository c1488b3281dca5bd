// How often a simulated program of --exec does each thing that its server must survive.
#pragma once

#include "sluice/sim/random.hpp"

namespace sluice::worlds {

/// A probability for each class of fault; 0 is off. What the protocol asks of a program is kept: it
/// reads and prints in turn, so that it has printed all that it ever will of one question before it
/// reads the next.
struct program_faults {
    /// @name Per process
    /// @{
    double slow_start = 0;    ///< it takes up to 2 s before it reads
    double banner = 0;        ///< it prints lines, or too much, before it is asked
    double ends_unasked = 0;  ///< it ends before it reads
    double stays = 0;         ///< it goes on after the end of its input, perhaps also after SIGTERM
    /// @}
    /// @name Per question
    /// @{
    double slow = 0;     ///< it takes up to 3 s
    double split = 0;    ///< its answer comes in pieces, with pauses
    double trickle = 0;  ///< it reads in pieces, with pauses
    double ends = 0;   ///< it ends with any status, or by a signal, before its answer or within it
    double hangs = 0;  ///< it says nothing more, and reads nothing more
    double endless = 0;  ///< its line is longer than it may be, and perhaps never ends
    double extra = 0;    ///< it prints more than one line, perhaps late
    double closes = 0;   ///< it closes its stdin or stdout and goes on
    double noisy = 0;    ///< it prints on stderr: lines, parts of lines, long ones
    /// @}

    /// Each class is on with probability 1/2, at a rate drawn log-uniformly up to its bound.
    [[nodiscard]] static program_faults draw(sim::random& from) noexcept;
};

}  // namespace sluice::worlds
