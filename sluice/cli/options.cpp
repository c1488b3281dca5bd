// Implements the parsers of addresses, durations, sizes and counts.
#include "sluice/cli/options.hpp"

#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <optional>

#include "sluice/base/parse_number.hpp"
#include "sluice/net/address.hpp"
#include "sluice/wire/size.hpp"

namespace sluice::cli {
namespace {

/// The number at the start of `text`, and the rest. None without a digit, or beyond 64 bits.
std::optional<std::pair<std::uint64_t, std::string_view>> leading_number(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (code != std::errc{}) return std::nullopt;
    return std::pair{number, text.substr(static_cast<std::size_t>(end - text.data()))};
}

std::optional<double> number_within(std::string_view text, double least, double most) {
    const auto number = parse_number<double>(text);
    const bool fits = number && *number >= least && *number <= most;  // false for "nan"
    return fits ? number : std::nullopt;
}

}  // namespace

std::string number_text(double number) {
    return fmt::format("{}", number);
}

reading<std::string> read_address(std::string_view text) {
    if (auto why = net::why_no_address(text); !why.empty()) return std::unexpected{std::move(why)};
    return std::string{text};
}

reading<std::chrono::milliseconds> duration_up_to::operator()(std::string_view text) const {
    constexpr std::array<std::pair<std::string_view, std::uint64_t>, 6> units{
        {{"", 1000}, {"s", 1000}, {"ms", 1}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
    if (const auto found = leading_number(text)) {
        for (const auto& [unit, milliseconds] : units) {
            if (found->second != unit) continue;
            if (found->first > static_cast<std::uint64_t>(longest.count()) / milliseconds) {
                return std::unexpected{
                    fmt::format("{} is more than {}", in_quotes(text), in_words)};
            }
            return std::chrono::milliseconds{found->first * milliseconds};
        }
    }
    return std::unexpected{in_quotes(text) + " is no duration; write 5s, 500ms, 2m, 1h or 7d"};
}

reading<std::chrono::milliseconds> read_duration(std::string_view text) {
    return duration_up_to{.longest = std::chrono::hours{366 * 24}, .in_words = "a year"}(text);
}

reading<std::uint64_t> read_size(std::string_view text) {
    if (const auto size = wire::parse_size(text)) return *size;
    return std::unexpected{in_quotes(text) + " is no size; write 65536, 64K, 1M or 2G"};
}

std::string size_text(std::uint64_t bytes) {
    if (bytes == std::numeric_limits<std::uint64_t>::max()) return {};
    constexpr std::string_view units = "KMGT";
    std::string unit;
    for (const char each : units) {
        if (bytes == 0 || bytes % 1024 != 0) break;
        bytes /= 1024;
        unit = each;
    }
    return std::to_string(bytes) + unit;
}

std::string duration_text(std::chrono::milliseconds time) {
    constexpr std::array<std::pair<std::string_view, std::int64_t>, 3> units{
        {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}}};
    constexpr std::int64_t second = 1000;
    const auto count = time.count();
    for (const auto& [unit, milliseconds] : units) {
        if (count % milliseconds == 0 && count >= 2 * milliseconds) {
            return fmt::format("{}{}", count / milliseconds, unit);
        }
    }
    return count % second == 0 ? fmt::format("{}s", count / second) : fmt::format("{}ms", count);
}

reading<std::uint64_t> count_from::operator()(std::string_view text) const {
    const auto found = leading_number(text);
    if (found && found->second.empty() && found->first >= least && found->first <= most) {
        return found->first;
    }
    if (most == std::numeric_limits<std::uint64_t>::max()) {
        return std::unexpected{
            fmt::format("{} is no whole number from {} up", in_quotes(text), least)};
    }
    return std::unexpected{
        fmt::format("{} is no whole number from {} to {}", in_quotes(text), least, most)};
}

reading<double> number_from::operator()(std::string_view text) const {
    const auto number = number_within(text, least, most);
    if (!number) return std::unexpected{fmt::format("{} {}", in_quotes(text), why_not)};
    return *number;
}

reading<double> percent_from::operator()(std::string_view text) const {
    const auto digits = text.ends_with('%') ? text.substr(0, text.size() - 1) : text;
    const auto number = number_within(digits, least, most);
    if (!number) return std::unexpected{fmt::format("{} {}", in_quotes(text), why_not)};
    return *number / 100;
}

std::string percent_from::text_of(double share) {
    return number_text(share * 100) + '%';
}

}  // namespace sluice::cli
