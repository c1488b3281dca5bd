// Implements TLS for the world of a process.
#include "tests/worlds/secure.hpp"

#include <fmt/format.h>
#include <openssl/rand.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/os/fd.hpp"
#include "sluice/sim/random.hpp"
#include "sluice/tls/certificate.hpp"

namespace sluice::worlds {
namespace {

// Its signatures have one size, those of P-256 three: with them, the lengths of what is sent, and
// so the trace of a seed, would change from run to run. Valid for a hundred years.
constexpr std::string_view pem = R"(
-----BEGIN CERTIFICATE-----
MIIBRzCB+qADAgECAhQg33OLiKNqrAYhxwQ00PlJc2hcXjAFBgMrZXAwEDEOMAwG
A1UEAwwFd29ybGQwIBcNMjYxMTMwMjIxNDE5WhgPMjEyNjExMDYyMjE0MTlaMBAx
DjAMBgNVBAMMBXdvcmxkMCowBQYDK2VwAyEASU1JRiONlCYCeFf76Ae+xLYakbuF
LmH5yPLMzHe8p52jZDBiMB0GA1UdDgQWBBTLBHhLyzcSz8t6Wu4KxQfDJoAOoDAf
BgNVHSMEGDAWgBTLBHhLyzcSz8t6Wu4KxQfDJoAOoDAPBgNVHRMBAf8EBTADAQH/
MA8GA1UdEQQIMAaHBH8AAAEwBQYDK2VwA0EA229P9ljuR6curFpVqhadKiKIPyJP
P1Z7BNYBQKDxPbwkBIP8es1jOdSyiWsYYoK3TPW2qxEIwlrT8/IVMENDBA==
-----END CERTIFICATE-----
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEICC7Kdn4QfRvaMvkZ53jJXBX2iX0aVSi8co4NIInhX6o
-----END PRIVATE KEY-----
)";

// Less than clients wait for, also when one is served after another.
constexpr auto handshake_time = std::chrono::seconds{2};

std::optional<tls::certificate> shown;
std::unique_ptr<tls::server_context> of_server;
std::unique_ptr<tls::client_context> of_clients;

/// Numbers of the seed for OpenSSL, or the trace of a seed would change from run to run: a ticket
/// is shorter if a random number in it begins with zeros.
sim::random& numbers_of_openssl() noexcept {
    static sim::random numbers{0};
    return numbers;
}

int draw_bytes(unsigned char* into, int size) noexcept {
    for (int i = 0; i < size; ++i) {
        into[i] = static_cast<unsigned char>(numbers_of_openssl().bits());
    }
    return 1;
}

void draw_numbers_of_openssl(std::uint64_t seed) {
    static const RAND_METHOD method{.seed = nullptr,
                                    .bytes = &draw_bytes,
                                    .cleanup = nullptr,
                                    .add = nullptr,
                                    .pseudorand = &draw_bytes,
                                    .status = [] { return 1; }};
    numbers_of_openssl() = sim::random{seed};
// Deprecated for a provider of one's own, which is a hundred lines for the same.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    RAND_set_rand_method(&method);
#pragma GCC diagnostic pop
}

template <class T>
T required(std::expected<T, std::string> made) {
    if (!made) throw std::runtime_error{made.error()};
    return std::move(*made);
}

}  // namespace

void load_certificate() {
    const unique_fd memory{::memfd_create("certificate", MFD_CLOEXEC)};
    if (::write(memory.get(), pem.data(), pem.size()) != static_cast<ssize_t>(pem.size())) {
        throw std::runtime_error{"there is no memory for a certificate"};
    }
    const auto name = fmt::format("/proc/self/fd/{}", memory.get());
    shown = required(tls::certificate::load(name, name));
}

void draw_tls(const setting& how) {
    // A generator of its own, so that no other choice is moved.
    sim::random chance{how.seed ^ 0x746c'7300U};
    constexpr double share = 0.125;
    if (!how.tls.value_or(chance.chance(share))) return;
    draw_numbers_of_openssl(how.seed);
    of_server = required(tls::server_context::create(
        {.load = [] { return *shown; }, .handshake_time = handshake_time}));
    of_clients = required(
        tls::client_context::create({.host = "127.0.0.1", .fingerprint = shown->fingerprint()}));
}

tls::server_context* server_tls() noexcept {
    return of_server.get();
}

tls::client_context* client_tls() noexcept {
    return of_clients.get();
}

}  // namespace sluice::worlds
