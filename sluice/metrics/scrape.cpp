// Implements scrape: a line is NAME, labels in braces, and a value.
#include "sluice/metrics/scrape.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <optional>
#include <set>
#include <system_error>

namespace sluice::metrics {
namespace {

constexpr std::string_view blanks = " \t";

bool is_name_character(char c, bool first) noexcept {
    const bool begins = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
    return begins || (!first && c >= '0' && c <= '9');
}

/// Reads one line.
class line_reader {
 public:
    explicit line_reader(std::string_view line) noexcept : left_{line} {}

    [[nodiscard]] std::optional<scraped> read() {
        scraped found;
        found.name = take_name();
        if (found.name.empty()) return std::nullopt;
        if (take('{') && !take_labels(found)) return std::nullopt;
        skip_blanks();
        const auto end = std::min(left_.find_first_of(blanks), left_.size());
        const auto value = number(left_.substr(0, end));
        if (!value) return std::nullopt;
        found.value = *value;
        return found;
    }

    /// Also of a bound: +Inf.
    [[nodiscard]] static std::optional<double> number(std::string_view text) noexcept {
        if (text.starts_with('+')) text.remove_prefix(1);
        double value = 0;
        const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
        if (read.ec != std::errc{} || read.ptr != text.data() + text.size()) return std::nullopt;
        return value;
    }

 private:
    void skip_blanks() noexcept {
        left_.remove_prefix(std::min(left_.find_first_not_of(blanks), left_.size()));
    }
    bool take(char c) noexcept {
        if (!left_.starts_with(c)) return false;
        left_.remove_prefix(1);
        return true;
    }
    std::string_view take_name() noexcept {
        std::size_t size = 0;
        while (size < left_.size() && is_name_character(left_[size], size == 0)) ++size;
        const auto name = left_.substr(0, size);
        left_.remove_prefix(size);
        return name;
    }
    std::optional<std::string> take_quoted() {
        if (!take('"')) return std::nullopt;
        std::string value;
        while (!left_.empty()) {
            char c = left_.front();
            left_.remove_prefix(1);
            if (c == '"') return value;
            if (c == '\\') {
                if (left_.empty()) return std::nullopt;
                c = left_.front() == 'n' ? '\n' : left_.front();
                left_.remove_prefix(1);
            }
            value += c;
        }
        return std::nullopt;
    }
    bool take_labels(scraped& into) {
        while (!take('}')) {
            const auto name = take_name();
            if (name.empty() || !take('=')) return false;
            auto value = take_quoted();
            if (!value) return false;
            into.labels.emplace_back(std::string{name}, std::move(*value));
            if (!take(',') && !left_.starts_with('}')) return false;
        }
        return true;
    }

    std::string_view left_;
};

}  // namespace

std::string_view scraped::label(std::string_view which) const noexcept {
    const auto found =
        std::ranges::find(labels, which, &std::pair<std::string, std::string>::first);
    return found == labels.end() ? std::string_view{} : std::string_view{found->second};
}

std::expected<scrape, std::string> scrape::parse(std::string_view text) {
    scrape all;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty() || line.starts_with('#')) continue;
        auto found = line_reader{line}.read();
        if (!found) {
            return std::unexpected{fmt::format("line {} is no metric of Prometheus", number)};
        }
        all.samples_.push_back(std::move(*found));
    }
    return all;
}

bool scrape::has(std::string_view name) const noexcept {
    return std::ranges::find(samples_, name, &scraped::name) != samples_.end();
}

std::string_view scrape::first(std::string_view name, std::string_view of) const noexcept {
    const auto found = std::ranges::find(samples_, name, &scraped::name);
    return found == samples_.end() ? std::string_view{} : found->label(of);
}

double scrape::sum(std::string_view name) const noexcept {
    double sum = 0;
    for (const auto& each : samples_) {
        if (each.name == name) sum += each.value;
    }
    return sum;
}

std::map<std::string_view, double> scrape::sums(std::string_view name, std::string_view of) const {
    std::map<std::string_view, double> all;
    for (const auto& each : samples_) {
        if (each.name == name) all[each.label(of)] += each.value;
    }
    return all;
}

std::vector<std::string> scrape::values(std::string_view name, std::string_view of) const {
    std::vector<std::string> all;
    std::set<std::string_view> known;
    for (const auto& each : samples_) {
        if (each.name != name) continue;
        const auto value = each.label(of);
        if (!value.empty() && known.insert(value).second) all.emplace_back(value);
    }
    return all;
}

double quantile(const scrape& before, const scrape& now, std::string_view name, double share) {
    const auto bucket = fmt::format("{}_bucket", name);
    std::map<double, double> counts;  // by bound, cumulative
    const auto add = [&](const scrape& from, double sign) {
        for (const auto& each : from.samples()) {
            if (each.name != bucket) continue;
            const auto bound = line_reader::number(each.label("le"));
            if (bound && !std::isnan(*bound)) counts[*bound] += sign * each.value;
        }
    };
    add(now, 1);
    add(before, -1);
    if (counts.empty() || counts.rbegin()->second <= 0) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    const double wanted = share * counts.rbegin()->second;
    double lower = 0;
    double below = 0;
    for (const auto& [bound, count] : counts) {
        if (count >= wanted) {
            if (std::isinf(bound) || count <= below) return lower;
            return lower + ((bound - lower) * (wanted - below) / (count - below));
        }
        lower = bound;
        below = count;
    }
    return lower;
}

}  // namespace sluice::metrics
