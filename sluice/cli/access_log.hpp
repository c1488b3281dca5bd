// The access log of a server: its options, where it is written, and what is said of lost lines.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "sluice/cli/access_format.hpp"
#include "sluice/model/access_log.hpp"
#include "sluice/model/model.hpp"

namespace sluice::cli {

/// Values of --access-log, --access-format and --access-rate.
struct access_options {
    std::string where = "off";  ///< a file, `-` for stderr, `journal`, `journal:SOCKET`, `off`
    access_format format = access_format::text;
    std::uint32_t most_per_second = 10'000;  ///< of each kind of event; 0: any number

    [[nodiscard]] bool on() const noexcept { return where != "off"; }
    [[nodiscard]] bool is_journal() const noexcept;
    [[nodiscard]] bool is_file() const noexcept { return on() && where != "-" && !is_journal(); }
};

/// Adds them to a command, in that group of its help. `into` must outlive the parsing.
void add_access_options(CLI::App& command, access_options& into, const std::string& group);

/// The log for the services of this process; null with --access-log off. It takes events at once,
/// and writes nothing before open_access_log(). The first call decides, before any fork.
[[nodiscard]] model::access_log* access_log_of(const access_options& o, model::kind model);

/// Opens what --access-log names. Without a journal it is stderr, which is said. Before the
/// sandbox. The error is a sentence without its full stop.
[[nodiscard]] std::expected<void, std::string> open_access_log(const access_options& o);

/// Opens the file again, which has been renamed: lines go there from now on. Nothing unless it is a
/// file. The error is a sentence without its full stop: the file that is open stays.
[[nodiscard]] std::expected<void, std::string> reopen_access_log(const access_options& o);

/// Logs how many lines were lost since that was last said, if any were; otherwise it is said once a
/// minute.
void report_lost_access_lines();

/// Announces how much was written and lost; nothing with --access-log off.
void announce_access_log();

}  // namespace sluice::cli
