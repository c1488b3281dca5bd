// The log: lines on stderr, as text for people or as JSON for programs.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "sluice/cli/exit_status.hpp"

namespace sluice::cli {

enum class log_level : std::uint8_t { trace, debug, info, warn, error, off };
enum class log_format : std::uint8_t { text, json };

/// Sets how log() and announce() write. Call it before other threads log; without it they write
/// text from `info` up.
void set_up_log(log_level least, log_format format);
/// Changes what is logged from now on. Any thread.
void set_log_level(log_level least) noexcept;

/// Writes one line, for which nobody waits (output_queue). Any thread. `message` must be fit for a
/// terminal (wire::printable).
void log(log_level level, std::string_view message);

/// Logs why a command ends as an error, and is the status that it ends with.
exit_status log_failure(std::string_view why);

/// Writes a line that is part of the program's interface, such as "listening on 127.0.0.1:5000":
/// bare in the text format, a line of level `info` in JSON, and never held back.
void announce(std::string_view message);
/// Announces why a command ends, behind the program's name, and is the status that it ends with.
exit_status announce_failure(std::string_view why, exit_status status = exit_status::failed);

/// A number that was counted: its name in JSON and in text, and what it means.
struct counter {
    std::string_view name;
    std::uint64_t value = 0;
    std::string_view words = {};
};

/// Announces `counters` of `what`: a table in the text format; in JSON one line
/// `{..., "message": "counters", "of": what, "counters": {name: value, ...}}`.
void announce_counters(std::string_view what, std::span<const counter> counters);

}  // namespace sluice::cli
