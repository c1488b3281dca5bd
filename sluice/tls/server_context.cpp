// Implements server_context: contexts of OpenSSL with a server's settings, and its tickets.
#include "sluice/tls/server_context.hpp"

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <span>
#include <utility>

#include "sluice/tls/settings.hpp"

namespace sluice::tls {
namespace {

using problem = std::unexpected<std::string>;
using cipher_ptr = std::unique_ptr<EVP_CIPHER, free_by<&EVP_CIPHER_free>>;

constexpr std::size_t iv_size = 16;

/// Agrees on the one protocol that is spoken. A client that names others alone is turned away: a
/// browser that was led to the port of a chat names those of HTTP (RFC 9325, section 3.7).
int choose_protocol(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* offered, unsigned size, void* /*unused*/) {
    const std::string_view spoken = session::of(*ssl).protocol();
    std::string_view names{reinterpret_cast<const char*>(offered), size};
    while (!names.empty()) {
        const auto length = static_cast<unsigned char>(names.front());
        const std::string_view name = names.substr(1, length);
        if (name == spoken) {
            *out = reinterpret_cast<const unsigned char*>(name.data());
            *out_size = length;
            return SSL_TLSEXT_ERR_OK;
        }
        names.remove_prefix(std::min<std::size_t>(names.size(), 1U + length));
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

}  // namespace

/// One context of OpenSSL, with a library context of its own, whose locks no other takes.
struct server_context::context {
    library_ptr library{OSSL_LIB_CTX_new()};
    cipher_ptr ticket_cipher;
    ssl_context_ptr ssl;
    ticket_keys* keys = nullptr;

    [[nodiscard]] std::expected<void, std::string> show(const certificate& shown);
    [[nodiscard]] std::expected<void, std::string> ask_for_certificates(const std::string& file);
    static int seal_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                           EVP_MAC_CTX* mac, int sealing);
};

std::expected<void, std::string> server_context::context::show(const certificate& shown) {
    const bio_ptr chain{
        BIO_new_mem_buf(shown.chain().data(), static_cast<int>(shown.chain().size()))};
    const bio_ptr key{BIO_new_mem_buf(shown.key().data(), static_cast<int>(shown.key().size()))};
    const auto read = [&] {
        // The certificate must belong to this library, or each handshake would copy its key.
        x509_ptr made{X509_new_ex(library.get(), nullptr)};
        X509* into = made.release();
        // At the end it leaves what it was to fill; after other errors it has freed that.
        const bool found = PEM_read_bio_X509_AUX(chain.get(), &into, nullptr, nullptr) != nullptr;
        made.reset(into);
        if (!found) made.reset();
        return made;
    };
    const x509_ptr first = read();
    const key_ptr secret{
        PEM_read_bio_PrivateKey_ex(key.get(), nullptr, nullptr, nullptr, library.get(), nullptr)};
    bool taken = first != nullptr && secret != nullptr &&
                 SSL_CTX_use_certificate(ssl.get(), first.get()) == 1 &&
                 SSL_CTX_use_PrivateKey(ssl.get(), secret.get()) == 1;
    for (x509_ptr next = read(); taken && next != nullptr; next = read()) {
        taken = SSL_CTX_add1_chain_cert(ssl.get(), next.get()) == 1;
    }
    if (!taken) return problem{"the certificate cannot be used: " + take_reason()};
    ERR_clear_error();  // the end of the chain is an error of PEM_read_bio_X509()
    return {};
}

std::expected<void, std::string> server_context::context::ask_for_certificates(
    const std::string& file) {
    STACK_OF(X509_NAME)* const names = SSL_load_client_CA_file(file.c_str());
    if (names == nullptr || SSL_CTX_load_verify_file(ssl.get(), file.c_str()) != 1) {
        return problem{fmt::format(
            "cannot read certificates of authorities from {}: {}; a PEM file is expected", file,
            take_reason())};
    }
    SSL_CTX_set_client_CA_list(ssl.get(), names);
    SSL_CTX_set_verify(ssl.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    return {};
}

// Tickets are encrypted with AES-256 and authenticated by HMAC-SHA-256 (RFC 5077, section 4).
int server_context::context::seal_ticket(SSL* ssl, unsigned char* name, unsigned char* iv,
                                         EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int sealing) {
    const auto& self = *static_cast<context*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    std::array<std::byte, 16> wanted{};
    if (sealing == 0) std::memcpy(wanted.data(), name, wanted.size());
    auto key = sealing != 0 ? self.keys->current() : self.keys->find(wanted);
    if (!key) return 0;
    if (sealing != 0) {
        std::memcpy(name, key->name.data(), key->name.size());
        if (RAND_bytes(iv, iv_size) != 1) return -1;
    }
    std::array<char, 7> digest{"SHA256"};
    const std::array<OSSL_PARAM, 3> settings{
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac.data(), key->mac.size()),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
        OSSL_PARAM_construct_end()};
    const auto* secret = reinterpret_cast<const unsigned char*>(key->cipher.data());
    const int begun =
        sealing != 0 ? EVP_EncryptInit_ex2(cipher, self.ticket_cipher.get(), secret, iv, nullptr)
                     : EVP_DecryptInit_ex2(cipher, self.ticket_cipher.get(), secret, iv, nullptr);
    const bool ready = begun == 1 && EVP_MAC_CTX_set_params(mac, settings.data()) == 1;
    OPENSSL_cleanse(&*key, sizeof *key);
    if (!ready) return -1;
    // 2 gives a new one for a ticket that was used, as each is to be used once (RFC 8446, appendix
    // C.4).
    return sealing == 0 && SSL_version(ssl) == TLS1_3_VERSION ? 2 : 1;
}

server_context::server_context(server_options o, ticket_keys keys) noexcept
    : options_{std::move(o)}, keys_{std::move(keys)} {}

server_context::~server_context() = default;

std::expected<std::unique_ptr<server_context>, std::string> server_context::create(
    server_options o) {
    auto keys = ticket_keys::create();
    if (!keys) return problem{"no memory for TLS: " + keys.error().message()};
    o.threads = std::max<std::size_t>(o.threads, 1);
    std::unique_ptr<server_context> made{new server_context{std::move(o), std::move(*keys)}};
    made->contexts_ = std::vector<std::atomic<std::shared_ptr<context>>>(made->options_.threads);
    if (auto loaded = made->reload(); !loaded) return problem{loaded.error()};
    return made;
}

std::expected<std::shared_ptr<server_context::context>, std::string> server_context::make_context(
    const certificate& shown) {
    auto made = std::make_shared<context>();
    made->keys = &keys_;
    made->ssl.reset(SSL_CTX_new_ex(made->library.get(), nullptr, TLS_server_method()));
    made->ticket_cipher.reset(EVP_CIPHER_fetch(made->library.get(), "AES-256-CBC", nullptr));
    if (made->ssl == nullptr || made->ticket_cipher == nullptr || !apply_settings(*made->ssl)) {
        return problem{"TLS cannot be set up: " + take_reason()};
    }
    SSL_CTX* const ssl = made->ssl.get();
    SSL_CTX_set_app_data(ssl, made.get());
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ssl, 1);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, &context::seal_ticket);
    SSL_CTX_set_alpn_select_cb(ssl, &choose_protocol, nullptr);
    // With certificates of clients, sessions are resumed only in the context that made them.
    constexpr std::array<unsigned char, 6> name{'s', 'l', 'u', 'i', 'c', 'e'};
    SSL_CTX_set_session_id_context(ssl, name.data(), name.size());
    if (auto taken = made->show(shown); !taken) return problem{taken.error()};
    if (options_.client_authorities.empty()) return made;
    if (auto asked = made->ask_for_certificates(options_.client_authorities); !asked) {
        return problem{asked.error()};
    }
    return made;
}

std::expected<void, std::string> server_context::reload() {
    const auto shown = options_.load();
    if (!shown) return problem{shown.error()};
    std::vector<std::shared_ptr<context>> all;
    while (all.size() < contexts_.size()) {
        auto made = make_context(*shown);
        if (!made) return problem{made.error()};
        all.push_back(std::move(*made));
    }
    for (std::size_t i = 0; i < all.size(); ++i) contexts_[i].store(std::move(all[i]));
    const std::lock_guard lock{mutex_};
    fingerprint_ = shown->fingerprint();
    return {};
}

std::string server_context::fingerprint() const {
    const std::lock_guard lock{mutex_};
    return fingerprint_;
}

result<std::unique_ptr<session>> server_context::accept(std::string_view protocol) noexcept {
    thread_local const std::size_t thread = next_thread_.fetch_add(1, std::memory_order_relaxed);
    try {
        const auto from = contexts_[thread % contexts_.size()].load();
        ssl_ptr ssl{SSL_new(from->ssl.get())};
        if (ssl == nullptr) throw std::bad_alloc{};
        SSL_set_accept_state(ssl.get());
        return std::make_unique<session>(std::move(ssl), protocol, from);
    } catch (const std::bad_alloc&) {
        ERR_clear_error();
        return failure_of(ENOMEM);
    }
}

}  // namespace sluice::tls
