// SHA-256 by OpenSSL, which uses what the CPU has for it.
#include "sluice/service/files/digest.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <vector>

namespace sluice::service::files {

result<std::string> sha256_of(int file) {
    constexpr std::size_t step = std::size_t{256} << 10;
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> state{EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free};
    if (!state || EVP_DigestInit_ex(state.get(), EVP_sha256(), nullptr) != 1) {
        return failure_of(ENOMEM);
    }
    std::vector<std::byte> room(step);
    for (off_t at = 0;;) {
        const auto n = ::pread(file, room.data(), room.size(), at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return failure_of(errno);
        if (n == 0) break;
        if (EVP_DigestUpdate(state.get(), room.data(), static_cast<std::size_t>(n)) != 1) {
            return failure_of(ENOMEM);
        }
        at += n;
    }
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned length = 0;
    if (EVP_DigestFinal_ex(state.get(), digest.data(), &length) != 1) return failure_of(ENOMEM);
    std::string text;
    for (unsigned i = 0; i < length; ++i) text += fmt::format("{:02x}", digest[i]);
    return text;
}

}  // namespace sluice::service::files
