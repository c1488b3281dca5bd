// Implements SHA-256 with OpenSSL, which uses the SHA instructions of the CPU.
#include "sluice/files/sha256.hpp"

#include <openssl/evp.h>

#include <new>
#include <utility>

#include "sluice/base/check.hpp"

namespace sluice::files {

void sha256_sum::deleter::operator()(evp_md_ctx_st* state) const noexcept {
    EVP_MD_CTX_free(state);
}

sha256_sum::sha256_sum() : state_{EVP_MD_CTX_new()} {
    if (!state_ || EVP_DigestInit_ex(state_.get(), EVP_sha256(), nullptr) != 1) {
        throw std::bad_alloc{};
    }
}

void sha256_sum::add(const_bytes bytes) noexcept {
    check(EVP_DigestUpdate(state_.get(), bytes.data(), bytes.size()) == 1,
          "SHA-256 takes bytes until it is finished");
}

bool sha256_sum::become(const sha256_sum& other) noexcept {
    decltype(state_) copy{EVP_MD_CTX_new()};
    if (!copy || EVP_MD_CTX_copy_ex(copy.get(), other.state_.get()) != 1) return false;
    state_ = std::move(copy);
    return true;
}

http::sha256_value sha256_sum::finish() noexcept {
    http::sha256_value digest{};
    auto* const into = reinterpret_cast<unsigned char*>(digest.data());
    check(EVP_DigestFinal_ex(state_.get(), into, nullptr) == 1, "SHA-256 is finished once");
    return digest;
}

http::sha256_value sha256_of(std::string_view text) {
    sha256_sum sum;
    sum.add(as_bytes(text));
    return sum.finish();
}

}  // namespace sluice::files
