// Options of a server's sandbox, and what each command leaves in it.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "sluice/cli/options.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/model/model.hpp"
#include "sluice/sandbox/sandbox.hpp"

namespace sluice::cli {

struct serve_options;

/// Values of --sandbox, --user and --chroot.
struct sandbox_options {
    std::optional<sandbox::mode> asked;  ///< empty: automatic, of which no more is said than needed
    std::optional<sandbox::user> as;
    std::string root;  ///< a directory; empty: it stays

    [[nodiscard]] sandbox::mode how() const noexcept {
        return asked.value_or(sandbox::mode::automatic);
    }
};

/// Adds them to a command, in that group of its help. `into` must outlive the parsing.
void add_sandbox_options(CLI::App& command, sandbox_options& into, const std::string& group);

/// A user of this machine, by name. Main thread.
[[nodiscard]] reading<sandbox::user> read_user(std::string_view text);

/// Enters the directory of --chroot: all names of files are those within from now on, but that of
/// --config, which has been read. A command calls it before it opens anything. The error is a
/// sentence without its full stop.
[[nodiscard]] std::expected<void, std::string> enter_chroot(const sandbox_options& o);

/// What a command needs in its sandbox besides what all servers do.
struct sandboxed_service {
    std::vector<sandbox::path_rule> paths = {};  ///< besides those that SIGHUP reads again
    bool keeps_files = false;                    ///< system calls on files
    bool has_children = false;                   ///< it signals processes, and waits for them
    bool runs_programs = false;                  ///< of the operator: --exec
    bool rings_come_later = true;                ///< its engines begin in the sandbox
    std::uint64_t capabilities = 0;              ///< those that it keeps
    /// Starts the threads that start programs (sandbox::confine_programs); may be empty.
    std::function<void()> start_programs = {};
    /// Starts all other threads of the service, once the sandbox holds; may be empty.
    std::function<void()> start = {};
};

/// The sandbox of a server under that model, with shards on that engine.
[[nodiscard]] sandbox::policy sandbox_of(const serve_options& common, model::kind model,
                                         io::engine_kind engine, const sandboxed_service& service);

/// The options of the engines in that sandbox.
[[nodiscard]] io::engine_options engine_options_in(const sandbox_options& o);

/// Confines the process, starts the threads of the service, and releases output(), which
/// set_up_output() holds. What came of it, as announce_sandbox() takes it; the error is a sentence
/// without its full stop: with --sandbox on, all that is missing.
[[nodiscard]] std::expected<sandbox::outcome, std::string> enter_sandbox(
    const sandbox::policy& p, const sandboxed_service& service);

/// Logs in one line what holds the process, and what does not: as information if something is
/// missing, or if --sandbox is given and the server not to be quiet, else for debugging. Nothing
/// with --sandbox off.
void announce_sandbox(const serve_options& common, const sandbox::outcome& o);

/// The accounts, the access log or another file that SIGHUP opens again: its directory, as a file
/// is replaced by another, and that of the file to which a link leads. Nothing for an empty name.
void add_reloaded(std::vector<sandbox::path_rule>& to, const std::string& file,
                  sandbox::path_access allowed = sandbox::path_access::read);

}  // namespace sluice::cli
