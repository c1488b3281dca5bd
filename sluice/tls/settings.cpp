// Implements the common settings over SSL_CTX.
#include "sluice/tls/settings.hpp"

namespace sluice::tls {

bool apply_settings(SSL_CTX& to) noexcept {
    SSL_CTX_set_options(&to, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(&to, SSL_MODE_RELEASE_BUFFERS);
    return SSL_CTX_set_min_proto_version(&to, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(&to, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
           SSL_CTX_set1_groups_list(&to, "X25519:P-256:P-384") == 1;
}

}  // namespace sluice::tls
