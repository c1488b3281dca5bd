// Shared by `files put` and `files get`: options, reports, and exit statuses.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

#include "sluice/cli/auth/client_login.hpp"
#include "sluice/cli/client_tls.hpp"
#include "sluice/cli/exit_status.hpp"
#include "sluice/cli/files/progress.hpp"
#include "sluice/cli/serve_options.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/files/client/link.hpp"
#include "sluice/files/client/transfer_error.hpp"
#include "sluice/http/digest_field.hpp"
#include "sluice/http/url.hpp"

namespace sluice::cli {

struct client_settings {
    progress_style progress = progress_style::automatic;
    std::optional<std::uint64_t> retries;
    std::chrono::milliseconds timeout{60'000};
    std::optional<engine_request> engine;
    client_tls_options tls;
    client_login_options login;
};

/// Adds --progress, --retry, --timeout and --engine. `into` must outlive the parsing.
void add_client_options(CLI::App& command, client_settings& into);

/// The outcome of a file's transfer.
struct file_outcome {
    std::string file;   ///< as the user named it
    std::string other;  ///< the URL, or the name of the local file
    std::uint64_t bytes = 0;
    std::uint64_t resumed_from = 0;
    double seconds = 0;
    std::optional<http::sha256_value> sha256 = std::nullopt;
    bool verified = false;  ///< both peers have the same digest
};

/// `"event":"done"` as a line with its newline.
[[nodiscard]] std::string done_as_json(const file_outcome& f);
/// The text after "Sent ... to ..." and "Received ... as ...": digest, rate, where it was resumed.
[[nodiscard]] std::string details_of(const file_outcome& f);

/// Reports why a file was not transferred; returns the exit status for it.
exit_status report_error(const progress_display& display, const std::string& file,
                         const files::transfer_error& t);
/// The worse of two statuses of files, for the program to end with.
[[nodiscard]] exit_status worse(exit_status a, exit_status b) noexcept;

/// The client's coroutine on the engine, with its link to the server.
using client_work = std::function<coro::task<exit_status>(files::link&)>;
/// Resolves the host of `to`, opens an engine, runs `work`, and cancels it at the first SIGINT or
/// SIGTERM. Reports its own errors, such as a host that cannot be resolved.
[[nodiscard]] exit_status run_client(const client_settings& s, const http::url& to,
                                     files::client_options o, progress_display& display,
                                     const client_work& work);

}  // namespace sluice::cli
