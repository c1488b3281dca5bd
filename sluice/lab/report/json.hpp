// Writes a run as JSON and reads it back.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "sluice/lab/results.hpp"

namespace sluice::lab {

/// The format version in `"version"`. It grows when a reader of the old version would misread a
/// file; added fields do not change it.
inline constexpr int json_version = 1;

/// All of `found`, plus the medians and intervals of every series for other readers. Ends in a
/// newline. Invalid UTF-8 becomes U+FFFD; a sample that is not finite is null.
[[nodiscard]] std::string as_json(const results& found);

/// Parses the output of as_json(): equal results, bit by bit. The error is a sentence fragment that
/// names the place: "cases[0].name: a string is expected, not a number". Unknown fields are
/// ignored.
[[nodiscard]] std::expected<results, std::string> read_json(std::string_view text);

}  // namespace sluice::lab
