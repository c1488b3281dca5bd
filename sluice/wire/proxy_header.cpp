// Implements read_proxy_header: a line of text, or sixteen bytes and what they count.
#include "sluice/wire/proxy_header.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>

#include "sluice/base/parse_number.hpp"

namespace sluice::wire {
namespace {

using enum proxy_header_state;

constexpr std::string_view text_signature = "PROXY ";
constexpr std::string_view binary_signature{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t fixed_size = 16;  // of version 2: signature, version, family, length

proxy_header malformed_header() noexcept {
    return {.state = malformed, .is_certain = true};
}

proxy_header needs(std::size_t bytes, bool is_certain) noexcept {
    return {.state = incomplete, .is_certain = is_certain, .size = bytes};
}

/// Removes the word before the next space from `line`, and that space.
std::string_view next_word(std::string_view& line) noexcept {
    const auto end = std::min(line.find(' '), line.size());
    const auto word = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
    return word;
}

std::optional<std::uint16_t> read_port(std::string_view text) noexcept {
    if (text.size() > 1 && text.front() == '0') return std::nullopt;
    return parse_number<std::uint16_t>(text);
}

bool read_host(int family, std::string_view text, std::array<std::byte, 16>& into) noexcept {
    std::array<char, INET6_ADDRSTRLEN> terminated{};
    if (text.size() >= terminated.size() || text.contains('\0')) return false;
    std::ranges::copy(text, terminated.begin());
    return ::inet_pton(family, terminated.data(), into.data()) == 1;
}

/// `TCP4 SOURCE DESTINATION PORT PORT`, or `UNKNOWN` and anything.
proxy_header read_line(std::string_view line, std::size_t size) noexcept {
    proxy_header found{.state = complete, .is_certain = true, .size = size};
    const auto protocol = next_word(line);
    if (protocol == "UNKNOWN") return found;
    if (protocol != "TCP4" && protocol != "TCP6") return malformed_header();
    const bool is_v4 = protocol == "TCP4";
    const int family = is_v4 ? AF_INET : AF_INET6;
    found.source = is_v4 ? proxy_source::ipv4 : proxy_source::ipv6;
    std::array<std::byte, 16> unused{};
    const bool has_hosts = read_host(family, next_word(line), found.host) &&
                           read_host(family, next_word(line), unused);
    const auto port = read_port(next_word(line));
    // All of the rest, which a further word would make no number.
    const auto to_port = read_port(line);
    if (!has_hosts || !port || !to_port) return malformed_header();
    found.port = *port;
    return found;
}

proxy_header read_text(std::string_view all) noexcept {
    const auto begin = all.substr(0, longest_proxy_line);
    const auto end = begin.find('\n');
    if (end == std::string_view::npos) {
        if (begin.size() < longest_proxy_line) return needs(begin.size() + 1, true);
        return {.state = too_long, .is_certain = true};
    }
    const auto line = begin.substr(0, end);
    if (!line.ends_with('\r')) return malformed_header();
    return read_line(line.substr(text_signature.size(), end - text_signature.size() - 1), end + 1);
}

proxy_header read_binary(std::string_view all) noexcept {
    if (all.size() < fixed_size) return needs(fixed_size, true);
    const auto byte = [all](std::size_t at) { return static_cast<unsigned char>(all[at]); };
    const unsigned version = byte(12) >> 4U;
    const unsigned command = byte(12) & 0xfU;
    const unsigned family = byte(13) >> 4U;
    const unsigned transport = byte(13) & 0xfU;
    const std::size_t length = byte(14) * std::size_t{256} + byte(15);
    constexpr unsigned local = 0;
    constexpr unsigned proxy = 1;
    if (version != 2 || command > proxy) return malformed_header();
    proxy_header found{.state = complete, .is_certain = true, .size = fixed_size + length};
    if (found.size > longest_proxy_header) return {.state = too_long, .is_certain = true};
    // Unspecified, IPv4, IPv6 or local; unspecified, stream or datagram.
    if (command != local && (family > 3 || transport > 2)) return malformed_header();
    // Of both ends: the hosts, then the ports.
    constexpr std::array<std::size_t, 4> host_sizes{0, 4, 16, 0};
    const bool is_named = command == proxy && transport == 1 && host_sizes.at(family) > 0;
    const std::size_t host_size = is_named ? host_sizes.at(family) : 0;
    if (is_named && length < 2 * host_size + 4) return malformed_header();
    if (all.size() < found.size) return needs(found.size, true);
    if (!is_named) return found;
    found.source = host_size == 4 ? proxy_source::ipv4 : proxy_source::ipv6;
    std::memcpy(found.host.data(), all.data() + fixed_size, host_size);
    const std::size_t port_at = fixed_size + 2 * host_size;
    found.port = static_cast<std::uint16_t>(byte(port_at) * 256U + byte(port_at + 1));
    return found;
}

}  // namespace

proxy_header read_proxy_header(const_bytes begin) noexcept {
    const auto all = as_text(begin);
    for (const auto signature : {text_signature, binary_signature}) {
        const auto common = std::min(all.size(), signature.size());
        if (all.substr(0, common) != signature.substr(0, common)) continue;
        // One byte more, as a client's own message may be as short as this.
        if (common < signature.size()) return needs(common + 1, false);
        return signature == text_signature ? read_text(all) : read_binary(all);
    }
    return {};
}

}  // namespace sluice::wire
