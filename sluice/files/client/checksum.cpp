// Implements SHA-256 with OpenSSL, which uses the SHA instructions of the CPU.
#include "sluice/files/client/checksum.hpp"

#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <new>
#include <vector>

#include "sluice/io/deadline.hpp"

namespace sluice::files {

struct checksum::state {
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(),
                                                                    &EVP_MD_CTX_free};
};

checksum::checksum() : state_{std::make_unique<state>()} {
    if (!state_->context || EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr) != 1) {
        throw std::bad_alloc{};
    }
}
checksum::checksum(checksum&&) noexcept = default;
checksum& checksum::operator=(checksum&&) noexcept = default;
checksum::~checksum() = default;

void checksum::add(const_bytes bytes) noexcept {
    EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size());
}

http::sha256_value checksum::finish() noexcept {
    http::sha256_value digest{};
    EVP_DigestFinal_ex(state_->context.get(), reinterpret_cast<unsigned char*>(digest.data()),
                       nullptr);
    return digest;
}

coro::task<result<http::sha256_value>> checksum_of(io::engine& engine, io::offload_pool& readers,
                                                   int file, std::uint64_t length,
                                                   transfer::moved& counter) {
    constexpr std::uint64_t slice = std::uint64_t{8} << 20;
    constexpr std::size_t step = std::size_t{256} << 10;
    checksum sum;
    std::vector<std::byte> buffer(step);
    for (std::uint64_t offset = 0; offset < length;) {
        const std::uint64_t end = std::min(length, offset + slice);
        const auto work = [&, end]() -> result<void> {
            while (offset < end) {
                const auto n =
                    ::pread(file, buffer.data(),
                            static_cast<std::size_t>(std::min<std::uint64_t>(step, end - offset)),
                            static_cast<off_t>(offset));
                if (n < 0 && errno == EINTR) continue;
                if (n < 0) return failure_of(errno);
                if (n == 0) return failure(fault::ended);
                sum.add(const_bytes{buffer}.first(static_cast<std::size_t>(n)));
                offset += static_cast<std::uint64_t>(n);
                counter.add(static_cast<std::uint64_t>(n));
            }
            return {};
        };
        auto read = co_await readers.run(engine, work);
        if (!read) co_return failure(read.error());
        // On the blocking engine this wait is the only point at which a cancellation arrives.
        if (engine.blocks()) {
            if (auto yielded = co_await io::sleep_until{engine, io::clock::now()}; !yielded) {
                co_return failure(yielded.error());
            }
        }
    }
    co_return sum.finish();
}

}  // namespace sluice::files
