// Numbers for people: units with their prefixes, and as many digits as are worth reading.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace sluice::lab {

/// A unit, and how many of the bare one it is: "GiB/s" is 2^30 "B/s". Bytes have binary prefixes,
/// counts and seconds those of the SI; seconds have none above one.
struct scale {
    double factor = 1;
    std::string unit;
};

/// The one in which `largest` of `unit` ("B/s", "s/message", "1/GiB" ...) is easily read.
[[nodiscard]] scale scale_for(double largest, std::string_view unit);

/// Three digits, or all before the point: "0.0213", "3.41", "20,481"; "-" for what is no number.
[[nodiscard]] std::string digits(double value);
/// `value` in a scale, without its unit.
[[nodiscard]] std::string shown(double value, const scale& in);
/// The same of a bare unit, with the unit that suits it: "3.41 GiB/s".
[[nodiscard]] std::string shown_with_unit(double value, std::string_view unit);

/// A ratio: "0.42", "2.11", "12.3", "118".
[[nodiscard]] std::string shown_ratio(double ratio);

/// A share of how far apart two are, rounded up to whole per cent: "4 %".
[[nodiscard]] std::string shown_within(double share);

/// A place on an axis: "64", "1 KiB" where the axis counts bytes, "0.5".
[[nodiscard]] std::string shown_place(double x, std::string_view axis);

/// "p50", "p99.9", "longest".
[[nodiscard]] std::string shown_share(double share);

/// So many seconds: "59 s", "2 min 10 s".
[[nodiscard]] std::string shown_time(double all);

/// "a, b and c".
[[nodiscard]] std::string joined(std::span<const std::string> words);

}  // namespace sluice::lab
