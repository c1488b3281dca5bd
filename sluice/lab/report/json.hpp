// A run as JSON, whole, and back again.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "sluice/lab/results.hpp"

namespace sluice::lab {

/// What `"version"` of our files is. It grows when a reader of the old form would misunderstand;
/// what is merely added does not change it.
inline constexpr int json_version = 1;

/// All of `found`, with the medians and intervals of every series for readers other than us. Ends
/// in a newline. Text that is not UTF-8 has U+FFFD in its place; a sample that is no number is
/// null.
[[nodiscard]] std::string as_json(const results& found);

/// The run that as_json() wrote: the same results, bit by bit. Or what is wrong with `text`, as a
/// sentence fragment that names the place: "cases[0].name: a string is expected, not a number".
/// Fields that it does not know are passed over.
[[nodiscard]] std::expected<results, std::string> read_json(std::string_view text);

}  // namespace sluice::lab
