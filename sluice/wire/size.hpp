// Parses and formats byte sizes such as 64K and 1.5 MiB.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::wire {

/// Parses "4096", "64K", "1M", "2G" or "1T", of either case, in powers of 1,024. None for any other
/// text (empty, signed, a fraction, with spaces) and for a size beyond 64 bits.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text) noexcept;

/// "1023 B"; "64 KiB" where that is exact, else one decimal, rounded: "1.5 MiB".
[[nodiscard]] std::string format_size(std::uint64_t bytes);

}  // namespace sluice::wire
