// Options of a client that speaks TLS, and whom it trusts.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "sluice/cli/options.hpp"
#include "sluice/tls/client_context.hpp"

namespace sluice::cli {

/// Values of --tls, --ca, --fingerprint, --cert and --key.
struct client_tls_options {
    bool asked = false;
    std::string authorities;  ///< a file in PEM
    std::string fingerprint;  ///< as tls::certificate::fingerprint()
    std::string certificate;  ///< of the client, a file in PEM
    std::string key;          ///< a file in PEM; empty: that of the certificate
};

/// Adds them to a command; `into` must outlive the parsing. --tls only to one that takes addresses
/// in which TLS need not stand.
void add_client_tls_options(CLI::App& command, client_tls_options& into, bool with_flag);

/// HOST:PORT or PORT, and tls:// in front of it for a server that speaks TLS.
[[nodiscard]] reading<std::string> read_server_address(std::string_view text);
/// Takes tls:// from the front; false if it does not stand there.
bool take_tls_prefix(std::string& address);

/// What a client trusts that speaks TLS to `authority` (HOST:PORT or PORT). A server that nothing
/// vouches for is asked about on the terminal, and remembered in the file known_servers of
/// state_directory(). The error is a sentence without its full stop. May block, and so may its
/// `decide`, which runs on the engine's thread before anything is said to the server.
[[nodiscard]] std::expected<std::unique_ptr<tls::client_context>, std::string> open_client_tls(
    const client_tls_options& o, const std::string& authority);

}  // namespace sluice::cli
