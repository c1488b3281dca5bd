// Formats quantities for readers: units with prefixes, significant digits, ratios.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace sluice::lab {

/// A unit with a prefix and its factor: "GiB/s" is 2^30 "B/s". Bytes have binary prefixes, counts
/// and seconds SI prefixes; seconds have none above 1.
struct scale {
    double factor = 1;
    std::string unit;
};

/// The scale that makes `largest` of `unit` ("B/s", "s/message", "1/GiB" ...) easy to read.
[[nodiscard]] scale scale_for(double largest, std::string_view unit);

/// Three significant digits, or all before the point: "0.0213", "3.41", "20,481"; "-" if not
/// finite.
[[nodiscard]] std::string digits(double value);
/// `value` in a scale, without its unit.
[[nodiscard]] std::string shown(double value, const scale& in);
/// `value` of a unit without a prefix, in the scale that suits it: "3.41 GiB/s".
[[nodiscard]] std::string shown_with_unit(double value, std::string_view unit);

/// A ratio: "0.42", "2.11", "12.3", "118".
[[nodiscard]] std::string shown_ratio(double ratio);

/// A relative difference, rounded up to whole per cent: "4 %".
[[nodiscard]] std::string shown_within(double share);

/// A position on an axis: "64"; "1 KiB" if the axis counts bytes; "0.5".
[[nodiscard]] std::string shown_place(double x, std::string_view axis);

/// "p50", "p99.9", "longest".
[[nodiscard]] std::string shown_share(double share);

/// A duration in seconds: "59 s", "2 min 10 s".
[[nodiscard]] std::string shown_time(double all);

/// "a, b and c".
[[nodiscard]] std::string joined(std::span<const std::string> words);

}  // namespace sluice::lab
