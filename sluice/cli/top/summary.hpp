// What two scrapes of a server say about it: the numbers that `sluice top` shows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "sluice/metrics/scrape.hpp"

namespace sluice::cli::top {

/// Something that a server does: how often now, and since it began.
struct activity {
    std::string name = {};
    double rate = 0;  ///< per second, between the scrapes
    double total = 0;
    bool in_bytes = false;
    std::optional<double> median = {};   ///< of its durations between the scrapes, in seconds
    std::optional<double> slowest = {};  ///< the 99th percentile of them
};

struct door {
    std::string name = {};
    double connected = 0;
    double rate = 0;  ///< new clients per second
    double total = 0;
};

/// A shard of the event model.
struct shard {
    std::string name = {};
    double load = 0;   ///< the share of the time in which it did not wait
    double turns = 0;  ///< per second
    double run_queue = 0;
    double clients = 0;
    double buffers = 0;
};

struct summary {
    std::string version;
    std::string engine;
    std::string model;
    bool ready = false;
    double uptime = 0;  ///< seconds
    double connected = 0;
    double limit = 0;  ///< of each door
    double most = 0;
    double shed = 0;
    double refused = 0;
    double memory = 0;  ///< bytes that are used
    double cpu = 0;     ///< cores
    double descriptors = 0;
    std::vector<activity> activities;
    std::vector<door> doors;
    std::vector<shard> shards;
};

/// `seconds` lie between the scrapes, and `now_unix` is the time of the later one, in seconds since
/// 1970.
[[nodiscard]] summary summarize(const metrics::scrape& before, const metrics::scrape& now,
                                double seconds, double now_unix);

[[nodiscard]] nlohmann::ordered_json to_json(const summary& s);

}  // namespace sluice::cli::top
