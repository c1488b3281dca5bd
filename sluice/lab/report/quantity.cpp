// Implements the formatting of quantities: prefixes, digits, ratios, lists.
#include "sluice/lab/report/quantity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace sluice::lab {
namespace {

struct prefix {
    double factor;
    std::string_view name;
};

constexpr double kibi = 1024;
constexpr std::array binary{prefix{1, ""}, prefix{kibi, "Ki"}, prefix{kibi * kibi, "Mi"},
                            prefix{kibi * kibi * kibi, "Gi"},
                            prefix{kibi * kibi * kibi * kibi, "Ti"}};
constexpr std::array counting{prefix{1, ""}, prefix{1e3, "k"}, prefix{1e6, "M"}, prefix{1e9, "G"},
                              prefix{1e12, "T"}};
constexpr std::array seconds{prefix{1e-9, "n"}, prefix{1e-6, "µ"}, prefix{1e-3, "m"},
                             prefix{1, ""}};

/// The largest prefix that makes `largest` at least 1, or the smallest prefix.
template <std::size_t N>
prefix fitting(const std::array<prefix, N>& all, double largest) {
    // A value just below a step is shown as the step itself.
    constexpr double hair = 0.9995;
    auto found = all.front();
    for (const auto& each : all) {
        if (largest >= each.factor * hair) found = each;
    }
    return found;
}

std::string grouped(std::string number) {
    const auto first = number.starts_with('-') ? 1U : 0U;
    for (auto at = number.size(); at > first + 3;) {
        at -= 3;
        number.insert(at, 1, ',');
    }
    return number;
}

}  // namespace

scale scale_for(double largest, std::string_view unit) {
    const auto slash = unit.find('/');
    const auto what = unit.substr(0, slash);
    const auto rest = slash == std::string_view::npos ? std::string_view{} : unit.substr(slash);
    largest = std::abs(largest);
    const bool nothing = !std::isfinite(largest) || largest == 0;
    if (what == "B") {
        const auto fit = nothing ? binary.front() : fitting(binary, largest);
        return {fit.factor, fmt::format("{}B{}", fit.name, rest)};
    }
    if (what == "s") {
        const auto fit = nothing ? seconds.back() : fitting(seconds, largest);
        return {fit.factor, fmt::format("{}s{}", fit.name, rest)};
    }
    if (what == "1") {
        const auto fit = nothing ? counting.front() : fitting(counting, largest);
        return {fit.factor, fmt::format("{}{}", fit.name, rest)};
    }
    return {1, std::string{unit}};
}

std::string digits(double value) {
    if (!std::isfinite(value)) return "-";
    if (value == 0) return "0";
    const auto size = std::abs(value);
    if (size >= 1e15 || size < 1e-6) return fmt::format("{:.2e}", value);
    const int before = static_cast<int>(std::floor(std::log10(size))) + 1;
    if (before >= 3) return grouped(fmt::format("{:.0f}", value));
    return fmt::format("{:.{}f}", value, 3 - before);
}

std::string shown(double value, const scale& in) {
    return digits(value / in.factor);
}

std::string shown_with_unit(double value, std::string_view unit) {
    const auto in = scale_for(value, unit);
    auto number = shown(value, in);
    if (in.unit.empty()) return number;
    // "5/s" reads better than "5 /s".
    return in.unit.starts_with('/') ? number + in.unit : number + ' ' + in.unit;
}

std::string shown_ratio(double ratio) {
    if (!std::isfinite(ratio)) return "-";
    constexpr double hundred = 99.95;
    constexpr double ten = 9.995;
    // Ratios below 0.1 need more digits: two decimals would show "0.00".
    if (ratio > 0 && ratio < 0.1) return digits(ratio);
    return fmt::format("{:.{}f}", ratio, ratio >= hundred ? 0 : ratio >= ten ? 1 : 2);
}

std::string shown_within(double share) {
    constexpr double hair = 1e-9;
    return fmt::format("{:.0f} %", std::max(1.0, std::ceil(share * 100 - hair)));
}

std::string shown_place(double x, std::string_view axis) {
    if (axis.contains("byte") && x >= kibi && std::fmod(x, kibi) == 0) {
        const auto in = scale_for(x, "B");
        return fmt::format("{} {}", x / in.factor, in.unit);
    }
    if (x >= 1000 && x < 1e15 && x == std::floor(x)) return grouped(fmt::format("{:.0f}", x));
    return fmt::format("{}", x);
}

std::string shown_share(double share) {
    if (share >= 1) return "longest";
    // 0.999 times 100 has more digits than it should.
    return fmt::format("p{:.6g}", share * 100);
}

std::string shown_time(double all) {
    if (!std::isfinite(all) || all < 0) return "-";
    constexpr double minute = 60;
    if (all < 10) return fmt::format("{:.1f} s", all);
    const auto whole = std::round(all);
    if (whole < minute) return fmt::format("{:.0f} s", whole);
    return fmt::format("{:.0f} min {:.0f} s", std::floor(whole / minute), std::fmod(whole, minute));
}

std::string joined(std::span<const std::string> words) {
    std::string text;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i > 0) text += i + 1 == words.size() ? " and " : ", ";
        text += words[i];
    }
    return text;
}

}  // namespace sluice::lab
