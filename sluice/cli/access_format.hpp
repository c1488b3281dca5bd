// Formats the lines of the access log: text, combined, JSON, and the entries of the journal.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sluice/model/access_log.hpp"

namespace sluice::cli {

/// Values of --access-format; `journal` is that of --access-log journal.
enum class access_format : std::uint8_t { text, json, combined, journal };

/// The longest line or entry, in bytes with its end: one write of a pipe keeps it whole (pipe(7)).
inline constexpr std::size_t longest_access_line = 4096;

/// A time of day with its offset from UTC, in that of this machine (tzset(3)).
struct local_time {
    std::chrono::system_clock::time_point when;
    std::chrono::seconds offset{};
};

/// Of `when`; from a cache of the thread within the same second.
[[nodiscard]] local_time local_time_of(std::chrono::system_clock::time_point when) noexcept;

/// Replaces `out` by the line of an event that ended at `at`, at most longest_access_line bytes.
/// Nothing of it is taken for more than text by a terminal, a reader of lines, or a parser of the
/// format. A line ends in a newline, an entry of the journal in a NUL. True if something was cut,
/// which ends in `...`. Allocates nothing once `out` has the capacity. Throws std::bad_alloc.
bool format_access(std::string& out, access_format format, const model::access_event& e,
                   local_time at);

}  // namespace sluice::cli
