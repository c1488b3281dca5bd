// What a server counts at one moment: groups of samples, for its metrics and for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/base/latency_counts.hpp"

// This room holds what a server tells about itself: a collection is made of the counters of all
// parts, exposition.hpp writes it as Prometheus reads it, door.hpp serves it over HTTP, and
// scrape.hpp reads it back for `sluice top`.
namespace sluice::metrics {

/// What becomes of a sample.
enum class kind : std::uint8_t {
    counter,  ///< only grows; its name ends in _total
    gauge,    ///< goes up and down
    listed,   ///< stands in lists for people alone: a metric says the same otherwise
};

/// In what a value is given.
enum class unit : std::uint8_t {
    none,
    bytes,        ///< its name has _bytes
    nanoseconds,  ///< shown in seconds; its name has _seconds
};

/// A value. Its metric is called GROUP_METRIC, then by unit and kind:
/// sluice_http_stored_bytes_total.
struct sample {
    std::string_view name = {};    ///< in lists for people; empty: in none
    std::uint64_t value = 0;       ///< now
    std::string description = {};  ///< for people; and the help of its metric, without `help`
    kind type = kind::counter;
    unit in = unit::none;
    std::string_view metric = {};  ///< where it is not `name`
    std::string labels = {};       ///< label()s with commas between
    std::string_view help = {};
};

/// Durations that were counted. Its metric is a histogram, GROUP_METRIC_seconds.
struct durations {
    std::string_view metric = {};
    latency_snapshot counted = {};
    std::string_view help = {};
    std::string labels = {};
};

/// Samples of one part of a server.
struct group {
    std::string title = {};      ///< in lists for people: "chat"
    std::string_view part = {};  ///< what the names of its metrics begin with: "sluice_chat"
    std::string labels = {};     ///< of all its samples
    std::vector<sample> samples = {};
    std::vector<durations> histograms = {};
};

/// `name="value"`, with what the value may not hold escaped. `name` is one of Prometheus's.
[[nodiscard]] std::string label(std::string_view name, std::string_view value);
/// Both, with a comma between where neither is empty.
[[nodiscard]] std::string joined_labels(std::string_view a, std::string_view b);

/// The groups in the order in which they were added. Views in them outlive it.
class collection {
 public:
    void add(group g) { groups_.push_back(std::move(g)); }
    [[nodiscard]] const std::vector<group>& groups() const noexcept { return groups_; }
    /// Takes them all out.
    [[nodiscard]] std::vector<group> take() noexcept { return std::exchange(groups_, {}); }

 private:
    std::vector<group> groups_;
};

}  // namespace sluice::metrics
