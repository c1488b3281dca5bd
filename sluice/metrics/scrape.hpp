// Reads metrics in Prometheus's text format back, and what two scrapes say about the time between.
#pragma once

#include <cstdint>
#include <expected>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::metrics {

/// A line of a scrape.
struct scraped {
    std::string name;
    std::vector<std::pair<std::string, std::string>> labels;
    double value = 0;

    /// The value of a label; empty if it has none of that name.
    [[nodiscard]] std::string_view label(std::string_view which) const noexcept;
};

/// All samples of a server at one moment.
class scrape {
 public:
    /// The error is a sentence without its full stop, safe on a terminal.
    [[nodiscard]] static std::expected<scrape, std::string> parse(std::string_view text);

    [[nodiscard]] const std::vector<scraped>& samples() const noexcept { return samples_; }
    [[nodiscard]] bool has(std::string_view name) const noexcept;
    /// The sum of the samples of that name; 0 if there are none.
    [[nodiscard]] double sum(std::string_view name) const noexcept;
    /// The same for each value that they have of a label. The keys live as long as this.
    [[nodiscard]] std::map<std::string_view, double> sums(std::string_view name,
                                                          std::string_view of) const;
    /// The values that a label has in the samples of that name, each once, in their order.
    [[nodiscard]] std::vector<std::string> values(std::string_view name, std::string_view of) const;
    /// The value that a label has in the first sample of that name; empty if there is none.
    [[nodiscard]] std::string_view first(std::string_view name, std::string_view of) const noexcept;

 private:
    std::vector<scraped> samples_;
};

/// The bound below which lies `share` of what a histogram NAME (without _bucket) has counted
/// between two scrapes, in seconds, interpolated within its bucket; NaN if it has counted nothing.
[[nodiscard]] double quantile(const scrape& before, const scrape& now, std::string_view name,
                              double share);

}  // namespace sluice::metrics
