// Defines the settings of a lab run, as the command line gives them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sluice::lab {

/// How long a run measures: `quick` less exactly, `full` more.
enum class run_length : std::uint8_t { quick, normal, full };

struct settings {
    run_length how = run_length::normal;
    std::optional<std::uint64_t> size;    ///< bytes per file; empty: the plan's own size
    std::optional<std::uint64_t> repeat;  ///< exact number of rounds; empty: until precise
    std::vector<std::uint64_t> clients;   ///< numbers of clients; empty: the plan's own
    std::optional<double> seconds;        ///< duration of a sample that measures a rate
    double precision = 0.02;              ///< target: half the median's interval, as a share of it
    std::string directory = ".";          ///< directory for the lab's files
    bool drop_caches = false;             ///< drop all caches before cold cases; needs root
};

}  // namespace sluice::lab
