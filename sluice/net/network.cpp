// Implements network: parsing, and comparing the first bits.
#include "sluice/net/network.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "sluice/base/parse_number.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::net {
namespace {

constexpr unsigned v4_bits = 32;
constexpr unsigned v6_bits = 128;
constexpr std::size_t mapped_prefix = 12;  // bytes before the IPv4 address (RFC 4291)

struct host {
    std::array<unsigned char, 16> bytes{};
    bool is_v4 = false;
};

host host_of(const address& where) noexcept {
    host found;
    if (where.family() == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, where.data(), sizeof v4);
        std::memcpy(found.bytes.data(), &v4.sin_addr, sizeof v4.sin_addr);
        found.is_v4 = true;
        return found;
    }
    sockaddr_in6 v6{};
    std::memcpy(&v6, where.data(), std::min<std::size_t>(sizeof v6, where.size()));
    found.is_v4 = IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr);
    const std::size_t skipped = found.is_v4 ? mapped_prefix : 0;
    std::memcpy(found.bytes.data(), v6.sin6_addr.s6_addr + skipped, 16 - skipped);
    return found;
}

}  // namespace

result<address> parse_host(std::string_view text) {
    constexpr std::string_view v4 = "0123456789.:";
    constexpr std::string_view v6 = "0123456789abcdefABCDEF:.";
    constexpr std::size_t longest = 64;
    if (text.empty() || text.size() > longest) return failure(fault::bad_address);
    if (text.front() == '[') {
        if (text.contains('%')) return failure(fault::bad_address);
        return address::parse(text.ends_with(']') ? std::string{text} + ":0" : std::string{text});
    }
    const bool has_dots = text.contains('.');
    const auto colons = std::ranges::count(text, ':');
    if (has_dots && colons < 2) {
        if (text.find_first_not_of(v4) != std::string_view::npos)
            return failure(fault::bad_address);
        return address::parse(colons == 1 ? std::string{text} : std::string{text} + ":0");
    }
    if (colons < 2 || text.find_first_not_of(v6) != std::string_view::npos) {
        return failure(fault::bad_address);
    }
    return address::parse('[' + std::string{text} + "]:0");
}

result<network> network::parse(std::string_view text) {
    if (text == "unix") {
        network all;
        all.is_unix_ = true;
        return all;
    }
    const auto slash = std::min(text.find('/'), text.size());
    const auto where = parse_host(text.substr(0, slash));
    if (!where || where->port() != 0) return failure(fault::bad_address);
    const auto of = host_of(*where);
    network made;
    made.host_ = of.bytes;
    made.is_v4_ = of.is_v4;
    const unsigned all = of.is_v4 ? v4_bits : v6_bits;
    const auto bits =
        slash < text.size() ? parse_number<unsigned>(text.substr(slash + 1)) : std::optional{all};
    if (!bits || *bits > all) return failure(fault::bad_address);
    made.bits_ = *bits;
    return made;
}

bool network::covers(const address& where) const noexcept {
    if (is_unix_ || where.is_unix()) return is_unix_ && where.is_unix();
    const auto of = host_of(where);
    if (where.family() == AF_UNSPEC || of.is_v4 != is_v4_) return false;
    const auto whole = bits_ / 8;
    if (!std::equal(host_.begin(), host_.begin() + whole, of.bytes.begin())) return false;
    const auto rest = bits_ % 8;
    if (rest == 0) return true;
    const unsigned differing = host_.at(whole) ^ of.bytes.at(whole);
    return differing >> (8 - rest) == 0;
}

std::string why_no_network(std::string_view text) {
    if (network::parse(text)) return {};
    return wire::in_quotes(text) +
           " is no address or network; write one as in 127.0.0.1, 10.0.0.0/8 or fd00::/8, or unix";
}

bool covers(const std::vector<network>& all, const address& where) noexcept {
    return std::ranges::any_of(all, [&](const network& each) { return each.covers(where); });
}

}  // namespace sluice::net
