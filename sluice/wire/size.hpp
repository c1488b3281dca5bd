// Numbers of bytes as people write and read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::wire {

/// Bytes from "4096", "64K", "1M", "2G" or "1T", in powers of 1,024 and of either case. None if it
/// is anything else (empty, signed, a fraction, with spaces) or does not fit.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text) noexcept;

/// For people: "1023 B", "64 KiB" where that is exact, else one decimal, rounded: "1.5 MiB".
[[nodiscard]] std::string format_size(std::uint64_t bytes);

}  // namespace sluice::wire
