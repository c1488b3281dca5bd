// Where a run of the lab is told: the terminal, and the files that were asked for.
#pragma once

#include <expected>
#include <string>

#include "sluice/lab/report/text.hpp"
#include "sluice/lab/results.hpp"

namespace sluice::cli {

/// Paths; empty: not asked for; `-`: stdout.
struct report_paths {
    std::string html;
    std::string json;
    std::string csv;
};

/// Whether each can be written, before hours are spent on what it is to hold. The error is a
/// sentence without its full stop.
[[nodiscard]] std::expected<void, std::string> try_paths(const report_paths& where);

/// Whether one of them goes to stdout, where nothing else may stand then.
[[nodiscard]] bool uses_stdout(const report_paths& where);

/// Writes them, each whole or not at all.
[[nodiscard]] std::expected<void, std::string> write_reports(const lab::results& found,
                                                             const report_paths& where,
                                                             lab::baseline base);

/// What stdout can show.
[[nodiscard]] lab::text_form form_of_stdout(lab::baseline base);

}  // namespace sluice::cli
