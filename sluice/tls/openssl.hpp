// Owners of OpenSSL's objects, and the text of its errors.
#pragma once

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace sluice::tls {

/// Frees an object by the function of its kind.
template <auto Free>
struct free_by {
    template <class T>
    void operator()(T* object) const noexcept {
        Free(object);
    }
};

using bio_ptr = std::unique_ptr<BIO, free_by<&BIO_free_all>>;
using key_ptr = std::unique_ptr<EVP_PKEY, free_by<&EVP_PKEY_free>>;
using library_ptr = std::unique_ptr<OSSL_LIB_CTX, free_by<&OSSL_LIB_CTX_free>>;
using ssl_context_ptr = std::unique_ptr<SSL_CTX, free_by<&SSL_CTX_free>>;
using ssl_ptr = std::unique_ptr<SSL, free_by<&SSL_free>>;
using x509_ptr = std::unique_ptr<X509, free_by<&X509_free>>;

/// The reason of the first error of this thread that was not taken yet, as in "no shared cipher",
/// and forgets all of them.
[[nodiscard]] std::string take_reason();

}  // namespace sluice::tls
