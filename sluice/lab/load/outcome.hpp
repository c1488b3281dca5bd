// The outcome of a load: the load process prints it, and the lab parses it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/histogram.hpp"
#include "sluice/lab/usage.hpp"

namespace sluice::lab {

struct outcome {
    double seconds = 0;        ///< duration of the measurement
    double whole_seconds = 0;  ///< uploads: until all files were stored
    double amount = 0;         ///< messages, answers, deliveries or bytes in `seconds`
    std::uint64_t errors = 0;  ///< requests that failed, had a wrong answer, or none
    double idle = 0;           ///< seconds in which the load had nothing to do
    std::uint64_t turns = 0;   ///< of a closed loop: system calls that found answers
    usage load;
    std::optional<usage> server;  ///< of the watched server, if any
    histogram latencies;          ///< from when a message was due to its answer
};

/// Why there is no outcome.
struct load_failure {
    std::string what;             ///< a sentence without its full stop
    bool is_unreachable = false;  ///< the server could not be reached, or went away
};

/// Lines of a name and a number, and a line `cell NANOSECONDS COUNT` per histogram cell.
[[nodiscard]] std::string to_text(const outcome& o);
/// Parses the output of to_text(); empty if it is malformed or incomplete.
[[nodiscard]] std::optional<outcome> read_outcome(std::string_view text);

}  // namespace sluice::lab
