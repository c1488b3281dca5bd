// Implements is_authority, checks of host names, IPv6 addresses and ports, and without_scheme.
#include "sluice/http/authority.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "sluice/base/parse_number.hpp"
#include "sluice/http/text.hpp"

namespace sluice::http {
namespace {

bool is_ipv6(std::string_view text) noexcept {
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    if (text.size() >= buffer.size() || text.contains('\0')) return false;
    std::ranges::copy(text, buffer.begin());
    in6_addr address{};
    return ::inet_pton(AF_INET6, buffer.data(), &address) == 1;
}

bool is_name(std::string_view text) noexcept {
    constexpr std::string_view others = "-._~!$&'()*+;=";
    if (text.empty()) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '%') {
            if (text.size() - i < 3 || !is_hex_digit(text[i + 1]) || !is_hex_digit(text[i + 2])) {
                return false;
            }
            i += 2;
        } else if (!is_letter_or_digit(c) && others.find(c) == std::string_view::npos) {
            return false;
        }
    }
    return true;
}

bool is_port(std::string_view text) noexcept {
    constexpr std::uint64_t highest = 65535;
    return text.empty() || parse_number(text).value_or(highest + 1) <= highest;
}

}  // namespace

bool is_authority(std::string_view text) noexcept {
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == std::string_view::npos || !is_ipv6(text.substr(1, end - 1))) return false;
        const auto rest = text.substr(end + 1);
        return rest.empty() || (rest.front() == ':' && is_port(rest.substr(1)));
    }
    const auto colon = text.find(':');
    if (!is_name(text.substr(0, colon))) return false;
    return colon == std::string_view::npos || is_port(text.substr(colon + 1));
}

std::optional<std::string_view> without_scheme(std::string_view text) noexcept {
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (same_word(text.substr(0, scheme.size()), scheme)) return text.substr(scheme.size());
    }
    return std::nullopt;
}

}  // namespace sluice::http
