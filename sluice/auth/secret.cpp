// Implements keys, random bytes and HMAC-SHA256 over libcrypto.
#include "sluice/auth/secret.hpp"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <new>

#include "sluice/base/check.hpp"

namespace sluice::auth {
namespace {

unsigned char* octets(mutable_bytes data) noexcept {
    return reinterpret_cast<unsigned char*>(data.data());
}

const unsigned char* octets(const_bytes data) noexcept {
    return reinterpret_cast<const unsigned char*>(data.data());
}

}  // namespace

void fill_with_random(mutable_bytes into) noexcept {
    check(RAND_bytes(octets(into), static_cast<int>(into.size())) == 1,
          "libcrypto gives no random bytes");
}

bool equal_in_constant_time(const_bytes a, const_bytes b) noexcept {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

secret_key secret_key::draw() noexcept {
    std::array<std::byte, size> bytes{};
    fill_with_random(bytes);
    secret_key drawn{bytes};
    OPENSSL_cleanse(bytes.data(), bytes.size());
    return drawn;
}

secret_key::secret_key(std::span<const std::byte, size> bytes) noexcept {
    std::ranges::copy(bytes, bytes_.begin());
}

secret_key::~secret_key() {
    OPENSSL_cleanse(bytes_.data(), bytes_.size());
}

sha256_digest hmac_sha256(const secret_key& key, const_bytes data) {
    sha256_digest made{};
    unsigned size = 0;
    if (HMAC(EVP_sha256(), key.bytes().data(), static_cast<int>(key.bytes().size()), octets(data),
             data.size(), octets(mutable_bytes{made}), &size) == nullptr) {
        ERR_clear_error();
        throw std::bad_alloc{};
    }
    return made;
}

wipe_at_end::~wipe_at_end() {
    OPENSSL_cleanse(text_.data(), text_.size());
}

}  // namespace sluice::auth
