// Options of the file doors that say who may do what, and what follows from them.
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "sluice/auth/line_login.hpp"
#include "sluice/cli/part.hpp"
#include "sluice/cli/serve_options.hpp"
#include "sluice/files/server/http_service.hpp"
#include "sluice/files/server/permissions.hpp"
#include "sluice/files/server/store.hpp"

namespace sluice::cli {

/// Values of the options. Texts are checked as they are parsed.
struct file_access {
    bool read_only = false;
    bool allow_delete = false;
    bool raw_any = false;  ///< files::raw_options::any
    std::vector<std::string> allow;
    std::vector<std::string> hosts;
    std::vector<std::string> pages;
};

/// Adds them to a command, for the part called `name`. `into` must outlive the parsing.
void add_file_access_options(CLI::App& command, file_access& into, const part_name& name);

/// What visitors of a door at the address `where` may do: what --allow says; without it, on this
/// machine alone or with --open, all but to delete. The error is a sentence without its full stop.
[[nodiscard]] std::expected<files::permissions, std::string> permissions_at(
    const std::string& where, const file_access& access, const serve_options& common);

/// For served_at::visitors of the HTTP door.
[[nodiscard]] std::string visitors_of(const files::permissions& allowed,
                                      const serve_options& common);

/// A door for clients whose accounts may do that everywhere; `purpose` says it in words, and is
/// static. It asks no client where `who` is null.
[[nodiscard]] auth::line_door door_for(files::operation what, auth::authenticator* who,
                                       std::string_view purpose);

/// The sandbox of a server that keeps files in `directory`; `start` starts its threads.
[[nodiscard]] sandboxed_service sandbox_of_store(files::store& store, const std::string& directory,
                                                 const file_access& access,
                                                 const sandbox_options& options,
                                                 std::function<void()> start);

/// Why no raw door can be served at `where`: a sentence without its full stop.
[[nodiscard]] std::string why_no_raw_door(const std::string& where, const file_access& access,
                                          const part_name& name);

}  // namespace sluice::cli
