// Implements the options of TLS, and where the certificate comes from.
#include "sluice/cli/server_tls.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/cli/log.hpp"
#include "sluice/cli/state_directory.hpp"
#include "sluice/os/host_name.hpp"

namespace sluice::cli {
namespace {

using loaded = std::expected<tls::certificate, std::string>;

/// The names under which this machine may be called.
std::vector<std::string> names_of_machine() {
    std::vector<std::string> names{"localhost"};
    std::string name = os::host_name();
    const auto is_of_name = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               c == '-' || c == '.';
    };
    const bool valid = !name.empty() && std::ranges::all_of(name, is_of_name);
    if (valid && name != names.front()) names.push_back(std::move(name));
    return names;
}

/// The addresses of its network interfaces, those of loopback first.
std::vector<std::string> addresses_of_machine() {
    std::vector<std::string> addresses{"127.0.0.1", "::1"};
    ifaddrs* first = nullptr;
    if (getifaddrs(&first) < 0) return addresses;
    const std::unique_ptr<ifaddrs, tls::free_by<&freeifaddrs>> all{first};
    for (const ifaddrs* each = all.get(); each != nullptr; each = each->ifa_next) {
        if (each->ifa_addr == nullptr) continue;
        std::array<char, INET6_ADDRSTRLEN> text{};
        const void* address = nullptr;
        if (each->ifa_addr->sa_family == AF_INET) {
            address = &reinterpret_cast<const sockaddr_in*>(each->ifa_addr)->sin_addr;
        } else if (each->ifa_addr->sa_family == AF_INET6) {
            address = &reinterpret_cast<const sockaddr_in6*>(each->ifa_addr)->sin6_addr;
        }
        if (address == nullptr ||
            inet_ntop(each->ifa_addr->sa_family, address, text.data(), text.size()) == nullptr) {
            continue;
        }
        std::string shown{text.data()};
        if (std::ranges::find(addresses, shown) == addresses.end())
            addresses.push_back(std::move(shown));
    }
    return addresses;
}

/// The file of the certificate of our own, which is made if there is none.
std::expected<std::string, std::string> file_of_our_own() {
    const auto folder = state_directory();
    if (!folder) {
        return std::unexpected{fmt::format(
            "there is no folder for a certificate: {}; name one by STATE_DIRECTORY, or give a "
            "certificate by --cert and --key",
            folder.error().message())};
    }
    auto file = *folder + "/certificate.pem";
    const auto known =
        tls::certificate::make_or_load(file, names_of_machine(), addresses_of_machine());
    if (!known) return std::unexpected{known.error()};
    return file;
}

}  // namespace

void add_server_tls_options(CLI::App& command, server_tls_options& into, const std::string& group) {
    command
        .add_flag("--tls", into.asked,
                  "Speak TLS, and nothing else without --clear-too; without --cert, with a "
                  "certificate that is made "
                  "at the first start")
        ->group(group);
    command.add_option("--cert", into.certificate, "Certificate and chain, in PEM; implies --tls")
        ->type_name("FILE")
        ->group(group);
    command.add_option("--key", into.key, "Its key, in PEM (that in the file of --cert)")
        ->type_name("FILE")
        ->group(group);
    command
        .add_option("--client-ca", into.client_authorities,
                    "Let in only clients with a certificate of these authorities, in PEM; implies "
                    "--tls")
        ->type_name("FILE")
        ->group(group);
    command
        .add_flag("--clear-too", into.clear_too,
                  "Serve those who speak in the clear, too: the first byte tells, and who says "
                  "nothing for 2 s does; implies --tls")
        ->group(group);
}

std::expected<std::unique_ptr<tls::server_context>, std::string> open_server_tls(
    const server_tls_options& o, std::size_t threads) {
    if (o.certificate.empty() && !o.key.empty()) {
        return std::unexpected{
            "--key names a key, and its certificate is missing; add --cert FILE"};
    }
    if (o.clear_too && !o.client_authorities.empty()) {
        return std::unexpected{
            "--client-ca lets in only those with a certificate, and --clear-too all; leave one of "
            "them out"};
    }
    std::string chain = o.certificate;
    if (chain.empty()) {
        auto made = file_of_our_own();
        if (!made) return std::unexpected{made.error()};
        chain = std::move(*made);
    }
    tls::server_options settings;
    settings.clear_too = o.clear_too;
    // Again at SIGHUP, when a sandbox lets no certificate be made.
    settings.load = [chain, key = o.key.empty() ? chain : o.key]() -> loaded {
        return tls::certificate::load(chain, key);
    };
    settings.client_authorities = o.client_authorities;
    settings.threads = threads;
    return tls::server_context::create(std::move(settings));
}

void log_failed_handshake(const net::connection& client, error why) {
    if (!logs(log_level::debug)) return;
    const auto from = client.peer();
    log(log_level::debug,
        fmt::format("the TLS handshake of {} failed: {}",
                    from ? from->to_string() : std::string{"a client that is gone"},
                    why.message()));
}

void announce_fingerprint(const tls::server_context& context) {
    announce(
        fmt::format("TLS with the certificate of SHA-256 fingerprint {}", context.fingerprint()));
}

}  // namespace sluice::cli
