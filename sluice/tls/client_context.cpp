// Implements client_context: verification by authorities, by fingerprint, or by the user.
#include "sluice/tls/client_context.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <array>
#include <new>
#include <utility>

#include "sluice/tls/certificate.hpp"
#include "sluice/tls/settings.hpp"

namespace sluice::tls {
namespace {

using problem = std::unexpected<std::string>;

bool is_ip_address(const std::string& host) noexcept {
    std::array<unsigned char, 16> unused{};
    return inet_pton(AF_INET, host.c_str(), unused.data()) == 1 ||
           inet_pton(AF_INET6, host.c_str(), unused.data()) == 1;
}

/// Names the host in the request (RFC 6066, section 3), and to whom the certificate must belong.
bool expect_host(SSL& of, std::string host) noexcept {
    if (is_ip_address(host)) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(&of), host.c_str()) == 1;
    }
    SSL_set_hostflags(&of, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    // The macro for this has a cast that our warnings refuse.
    return SSL_ctrl(&of, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, host.data()) ==
               1 &&
           SSL_set1_host(&of, host.c_str()) == 1;
}

}  // namespace

client_context::client_context(client_options o, ssl_context_ptr ssl) noexcept
    : options_{std::move(o)}, ssl_{std::move(ssl)} {}

std::expected<std::unique_ptr<client_context>, std::string> client_context::create(
    client_options o) {
    ssl_context_ptr ssl{SSL_CTX_new(TLS_client_method())};
    if (ssl == nullptr || !apply_settings(*ssl)) {
        return problem{"TLS cannot be set up: " + take_reason()};
    }
    // The result is looked at when the handshake is over, for the user may have the last word.
    SSL_CTX_set_verify(ssl.get(), SSL_VERIFY_NONE, nullptr);
    if (!o.authorities.empty()) {
        if (SSL_CTX_load_verify_file(ssl.get(), o.authorities.c_str()) != 1) {
            return problem{fmt::format(
                "cannot read certificates of authorities from {}: {}; a PEM file is expected",
                o.authorities, take_reason())};
        }
    } else if (o.fingerprint.empty()) {
        static_cast<void>(SSL_CTX_set_default_verify_paths(ssl.get()));
    }
    if (!o.certificate.empty()) {
        const auto own = certificate::load(o.certificate, o.key.empty() ? o.certificate : o.key);
        if (!own) return problem{own.error()};
        const std::string& key = o.key.empty() ? o.certificate : o.key;
        if (SSL_CTX_use_certificate_chain_file(ssl.get(), o.certificate.c_str()) != 1 ||
            SSL_CTX_use_PrivateKey_file(ssl.get(), key.c_str(), SSL_FILETYPE_PEM) != 1) {
            return problem{"the certificate cannot be used: " + take_reason()};
        }
    }
    ERR_clear_error();
    return std::unique_ptr<client_context>{new client_context{std::move(o), std::move(ssl)}};
}

result<std::unique_ptr<session>> client_context::connect(std::string_view protocol) noexcept {
    try {
        ssl_ptr ssl{SSL_new(ssl_.get())};
        if (ssl == nullptr) throw std::bad_alloc{};
        SSL_set_connect_state(ssl.get());
        std::string offered;
        offered.push_back(static_cast<char>(protocol.size()));
        offered += protocol;
        if (!expect_host(*ssl, options_.host) ||
            (!protocol.empty() &&
             SSL_set_alpn_protos(ssl.get(), reinterpret_cast<const unsigned char*>(offered.data()),
                                 static_cast<unsigned>(offered.size())) != 0)) {
            ERR_clear_error();
            return failure(fault::bad_address);
        }
        return std::make_unique<session>(std::move(ssl), protocol, nullptr);
    } catch (const std::bad_alloc&) {
        ERR_clear_error();
        return failure_of(ENOMEM);
    }
}

std::expected<void, std::string> client_context::check(const session& with) {
    const X509* const shown = SSL_get0_peer_certificate(with.get());
    if (shown == nullptr) return problem{"the server shows no certificate"};
    const std::string fingerprint = fingerprint_of(*shown);
    if (!options_.fingerprint.empty()) {
        if (fingerprint == options_.fingerprint) return {};
        return problem{fmt::format(
            "the server's certificate has the fingerprint {}, and not the one that --fingerprint "
            "names: it is another server, or has a new certificate; ask the one who runs it",
            fingerprint)};
    }
    const long outcome = SSL_get_verify_result(with.get());
    if (outcome == X509_V_OK || fingerprint == accepted_) return {};
    const unknown_server server{options_.host, fingerprint, X509_verify_cert_error_string(outcome)};
    if (!options_.decide) return problem{not_trusted(server)};
    auto decided = options_.decide(server);
    if (decided) accepted_ = fingerprint;
    return decided;
}

std::string not_trusted(const unknown_server& server) {
    return fmt::format(
        "the certificate of {} is not trusted ({}); its SHA-256 fingerprint is {}: if the one who "
        "runs the server confirms it, say --fingerprint {}, or name its authority by --ca FILE",
        server.host, server.why, server.fingerprint, server.fingerprint);
}

}  // namespace sluice::tls
