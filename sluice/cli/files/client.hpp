// What `files put` and `files get` have in common: options, words, and what their end means.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

#include "sluice/cli/exit_status.hpp"
#include "sluice/cli/files/progress.hpp"
#include "sluice/cli/serve_options.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/files/client/link.hpp"
#include "sluice/files/client/trouble.hpp"
#include "sluice/http/digest_field.hpp"
#include "sluice/http/url.hpp"

namespace sluice::cli {

struct client_settings {
    progress_style progress = progress_style::automatic;
    std::optional<std::uint64_t> retries;
    std::chrono::milliseconds timeout{60'000};
    std::optional<engine_request> engine;
};

/// Adds --progress, --retry, --timeout and --engine. `into` must outlive the parsing.
void add_client_options(CLI::App& command, client_settings& into);

/// One file that has come to its end, well or not.
struct file_outcome {
    std::string file;   ///< as the user named it
    std::string other;  ///< the URL, or the name that it got here
    std::uint64_t bytes = 0;
    std::uint64_t resumed_from = 0;
    double seconds = 0;
    std::optional<http::sha256_value> sha256 = std::nullopt;
    bool verified = false;  ///< both sides have the same digest
};

/// `"event":"done"` in one line, with its end.
[[nodiscard]] std::string done_as_json(const file_outcome& f);
/// What follows "Sent ... to ..." and "Received ... as ...": digest, rate, where it was resumed.
[[nodiscard]] std::string details_of(const file_outcome& f);

/// Says what came instead of the file, and gives what it means for the program's end.
exit_status say_trouble(const progress_display& display, const std::string& file,
                        const files::trouble& t);
/// Of two ends of two files, the one that the program ends with.
[[nodiscard]] exit_status worse(exit_status a, exit_status b) noexcept;

/// What runs on the engine, with the way to the server that `to` names.
using client_work = std::function<coro::task<exit_status>(files::link&)>;
/// Finds the server, opens an engine, runs `work`, and cancels it at the first Ctrl-C or SIGTERM.
/// A host that cannot be found, and the like, are said here.
[[nodiscard]] exit_status run_client(const client_settings& s, const http::url& to,
                                     files::client_options o, progress_display& display,
                                     const client_work& work);

}  // namespace sluice::cli
