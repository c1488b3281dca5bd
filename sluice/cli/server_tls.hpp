// Options of a server that speaks TLS, and the certificate that it shows.
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <span>
#include <string>

#include <CLI/CLI.hpp>

#include "sluice/base/result.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/tls/server_context.hpp"

namespace sluice::cli {

/// Values of --tls, --cert, --key, --client-ca and --clear-too.
struct server_tls_options {
    bool asked = false;
    std::string certificate;  ///< a file in PEM; empty: one of our own making
    std::string key;          ///< a file in PEM; empty: that of the certificate
    std::string client_authorities;
    bool clear_too = false;  ///< clients that do not speak TLS are served as well

    /// True if the server speaks TLS.
    [[nodiscard]] bool on() const noexcept {
        return asked || clear_too || !certificate.empty() || !client_authorities.empty();
    }
    /// True if every connection is to be secured.
    [[nodiscard]] bool is_required() const noexcept { return on() && !clear_too; }
};

/// Adds them to a command, in that group of its help. `into` must outlive the parsing.
void add_server_tls_options(CLI::App& command, server_tls_options& into, const std::string& group);

/// What a server shows that listens at `listeners` (HOST:PORT), from so many threads: without a
/// certificate of the user's, one that is made at the first start and kept in state_directory().
/// The error is a sentence without its full stop. May block.
[[nodiscard]] std::expected<std::unique_ptr<tls::server_context>, std::string> open_server_tls(
    const server_tls_options& o, std::size_t threads);

/// Logs for debugging why a handshake failed (tls::door::failed). Any thread.
void log_failed_handshake(const net::connection& client, error why);

/// Announces the fingerprint of the certificate, for clients to compare.
void announce_fingerprint(const tls::server_context& context);

}  // namespace sluice::cli
