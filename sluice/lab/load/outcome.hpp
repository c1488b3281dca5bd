// What a load saw in the time that counts: printed by the program that was the load, read by the
// lab.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/lab/histogram.hpp"
#include "sluice/lab/usage.hpp"

namespace sluice::lab {

struct outcome {
    double seconds = 0;        ///< how long was measured
    double whole_seconds = 0;  ///< of uploads: until all was stored
    double amount = 0;         ///< messages, answers, deliveries or bytes in that time
    std::uint64_t errors = 0;  ///< requests that failed, or were answered wrongly, or not at all
    double idle = 0;           ///< seconds in which the load found nothing to do
    usage load;
    std::optional<usage> server;  ///< where one was watched
    histogram latencies;          ///< from when a message was due to when its answer was there
};

/// Lines of a name and a number; the latencies, if there are any, as `cell NANOSECONDS COUNT`.
[[nodiscard]] std::string to_text(const outcome& o);
/// Reads what to_text() wrote; empty if it is anything else, or not all of it.
[[nodiscard]] std::optional<outcome> read_outcome(std::string_view text);

}  // namespace sluice::lab
