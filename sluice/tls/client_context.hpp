// What the TLS connections of a client share: whom it trusts.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/tls/openssl.hpp"
#include "sluice/tls/session.hpp"

namespace sluice::tls {

/// A server whose certificate no trusted authority vouches for.
struct unknown_server {
    std::string host;         ///< as the user gave it
    std::string fingerprint;  ///< as certificate::fingerprint()
    std::string why;          ///< "self-signed certificate"
};

/// Says that a server is not trusted, and what to do: a sentence without its full stop.
[[nodiscard]] std::string not_trusted(const unknown_server& server);

/// Whom a client trusts.
struct client_options {
    std::string host = {};         ///< to whom the certificate must belong: a name or IP address
    std::string authorities = {};  ///< a file in PEM; empty: those of the system
    std::string fingerprint = {};  ///< of the one certificate that is trusted; empty: none is named
    std::string certificate = {};  ///< of the client, in PEM, with its chain; empty: none
    std::string key = {};          ///< in PEM
    /// Decides about a server that is trusted by none of these; called before anything is said to
    /// it, and may ask the user. The error is a sentence without its full stop. Empty: no such
    /// server is trusted.
    std::function<std::expected<void, std::string>(const unknown_server&)> decide = {};
};

/// Thread of its engine. Outlives its sessions.
class client_context {
 public:
    /// The error is a sentence without its full stop. May block.
    [[nodiscard]] static std::expected<std::unique_ptr<client_context>, std::string> create(
        client_options o);

    /// A connection to the host, about to begin. ENOMEM. `protocol` is static; empty: none is
    /// named (ALPN).
    [[nodiscard]] result<std::unique_ptr<session>> connect(std::string_view protocol) noexcept;
    /// After the handshake: whether the server is trusted. If not, the error is a sentence without
    /// its full stop.
    [[nodiscard]] std::expected<void, std::string> check(const session& with);

 private:
    explicit client_context(client_options o, ssl_context_ptr ssl) noexcept;

    client_options options_;
    ssl_context_ptr ssl_;
    std::string accepted_;  // the fingerprint that decide() has accepted
};

}  // namespace sluice::tls
