// Options of a client that has to say who its user is.
#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>

#include <CLI/CLI.hpp>

#include "sluice/auth/credentials.hpp"
#include "sluice/net/address.hpp"

namespace sluice::cli {

/// Values of --user, --token-file and --insecure-auth.
struct client_login_options {
    std::string user;
    std::string token_file;
    bool insecure = false;
};

/// Adds them to a command. `into` must outlive the parsing.
void add_client_login_options(CLI::App& command, client_login_options& into);

/// What the server at `where` is told: a password from SLUICE_PASSWORD or asked for on the terminal
/// on stdin, or a token; none without the options. The error is a sentence without its full stop:
/// also where it would travel in the clear beyond this machine. Blocks.
[[nodiscard]] std::expected<std::optional<auth::credentials>, std::string> open_client_login(
    const client_login_options& o, std::span<const net::address> where, bool over_tls);

/// The field Authorization of a request over HTTP, with its line's end (RFC 7617, RFC 6750). Throws
/// std::bad_alloc.
[[nodiscard]] std::string authorization_field(const auth::credentials& given);

}  // namespace sluice::cli
