// What servers and clients of sluice agree on in TLS.
#pragma once

#include "sluice/tls/openssl.hpp"

namespace sluice::tls {

/// TLS 1.2 and 1.3 with forward secrecy and authenticated encryption (RFC 9325), without
/// renegotiation and compression; idle connections keep no buffers. False if OpenSSL refuses.
[[nodiscard]] bool apply_settings(SSL_CTX& to) noexcept;

}  // namespace sluice::tls
