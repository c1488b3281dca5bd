// Writes the results of a lab run: to the terminal and to report files.
#pragma once

#include <expected>
#include <string>

#include "sluice/lab/report/text.hpp"
#include "sluice/lab/results.hpp"

namespace sluice::cli {

/// Paths of reports; empty: none; `-`: stdout.
struct report_paths {
    std::string html;
    std::string json;
    std::string csv;
};

/// Checks before the measurement that each path can be written. The error is a sentence without its
/// full stop.
[[nodiscard]] std::expected<void, std::string> try_paths(const report_paths& paths);

/// Whether a report goes to stdout, which then carries nothing else.
[[nodiscard]] bool uses_stdout(const report_paths& paths);

/// Writes the reports; a regular file is written completely or not at all.
[[nodiscard]] std::expected<void, std::string> write_reports(const lab::results& found,
                                                             const report_paths& paths,
                                                             lab::baseline base);

/// The text form that stdout can show.
[[nodiscard]] lab::text_form form_of_stdout(lab::baseline base);

}  // namespace sluice::cli
