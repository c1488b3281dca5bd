// Options of a server that asks its clients who they are, and the accounts that it asks.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "sluice/auth/authenticator.hpp"
#include "sluice/auth/line_login.hpp"

namespace sluice::cli {

struct serve_options;

/// Values of --auth and --insecure-auth.
struct server_auth_options {
    std::string accounts;  ///< a file (auth::accounts); empty: no client is asked
    bool insecure = false;

    [[nodiscard]] bool on() const noexcept { return !accounts.empty(); }
};

/// Adds them to a command, in that group of its help. `into` must outlive the parsing.
void add_server_auth_options(CLI::App& command, server_auth_options& into,
                             const std::string& group);

/// The accounts of --auth, for doors at the addresses `where`; null without --auth. The error is a
/// sentence without its full stop. May block.
[[nodiscard]] std::expected<std::unique_ptr<auth::authenticator>, std::string> open_server_auth(
    const serve_options& common, const std::vector<std::string>& where);
/// Reads the accounts of --auth. The error is a sentence without its full stop. May block.
[[nodiscard]] std::expected<auth::accounts, std::string> load_accounts(
    const server_auth_options& o);

/// A door for clients with the right `word`, which is static, as `purpose` is. It asks no client
/// where `who` is null.
[[nodiscard]] auth::line_door door_with_right(auth::authenticator* who, std::string_view word,
                                              std::string_view purpose);

}  // namespace sluice::cli
