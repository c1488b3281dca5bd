// What a user asks of the lab.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sluice::lab {

enum class effort : std::uint8_t { quick, normal, full };

struct settings {
    effort how = effort::normal;
    std::optional<std::uint64_t> size;    ///< bytes of each file; empty: the plan's own
    std::optional<std::uint64_t> repeat;  ///< so many rounds exactly; empty: until precise enough
    std::vector<std::uint64_t> clients;   ///< empty: the plan's own
    std::optional<double> seconds;        ///< what one sample of a rate measures
    double precision = 0.02;              ///< half the median's interval, as a share of the median
    std::string directory = ".";          ///< where files are made
    bool drop_caches = false;             ///< before cold cases, too: root's
};

}  // namespace sluice::lab
