// The log: lines on stderr, as text or as JSON.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "sluice/cli/exit_status.hpp"

namespace sluice::cli {

enum class log_level : std::uint8_t { trace, debug, info, warn, error, off };
enum class log_format : std::uint8_t { text, json };

/// Sets how log() and announce() write; the default is text from `info` up. Call it before other
/// threads log.
void set_up_log(log_level least, log_format format);
/// Whether lines of that level are logged now: for those that cost something to make. Any thread.
[[nodiscard]] bool logs(log_level level) noexcept;
/// Changes the lowest level that is logged. Any thread.
void set_log_level(log_level least) noexcept;

/// Queues a line for stderr, without waiting (output_queue). Any thread. `message` must be safe on
/// a terminal (wire::printable).
void log(log_level level, std::string_view message);

/// Logs at level `error` why a command ends; returns exit_status::failed.
exit_status log_failure(std::string_view why);

/// Writes a line that is part of the program's interface, such as "listening on 127.0.0.1:5000":
/// bare in the text format, a line of level `info` in JSON, at every log level.
void announce(std::string_view message);
/// Announces why a command ends, after the program's name; returns `status`.
exit_status announce_failure(std::string_view why, exit_status status = exit_status::failed);

/// A counter: its name in JSON and in text, and its description.
struct counter {
    std::string_view name;
    std::uint64_t value = 0;
    std::string_view description = {};
};

/// Announces `counters` of `what`: as a table in the text format, in JSON as a line
/// `{..., "message": "counters", "of": what, "counters": {name: value, ...}}`.
void announce_counters(std::string_view what, std::span<const counter> counters);

}  // namespace sluice::cli
