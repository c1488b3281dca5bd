// The header of the PROXY protocol: what it says, and every way in which it is none.
#include "sluice/wire/proxy_header.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "sluice/base/bytes.hpp"

namespace sluice::wire {
namespace {

using namespace std::string_literals;
using enum proxy_header_state;

const auto signature = "\r\n\r\n\0\r\nQUIT\n"s;

proxy_header read(std::string_view text) {
    return read_proxy_header(as_bytes(text));
}

/// A header of version 2. `first`: its version and command; `second`: family and transport.
std::string binary(unsigned char first, unsigned char second, const std::string& rest) {
    std::string all = signature;
    all += static_cast<char>(first);
    all += static_cast<char>(second);
    all += static_cast<char>(rest.size() >> 8U);
    all += static_cast<char>(rest.size());
    return all + rest;
}

/// 192.0.2.1:56324 to 198.51.100.7:443.
const auto v4_ends = "\xc0\x00\x02\x01\xc6\x33\x64\x07\xdc\x04\x01\xbb"s;
/// [2001:db8::1]:56324 to [2001:db8::2]:443.
const auto v6_ends =
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"
    "\xdc\x04\x01\xbb"s;

std::string host_of(const proxy_header& header) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const int family = header.source == proxy_source::ipv4 ? AF_INET : AF_INET6;
    ::inet_ntop(family, header.host.data(), text.data(), text.size());
    return text.data();
}

void expect_client(const std::string& text, proxy_source source, std::string_view host,
                   std::uint16_t port) {
    // What follows the header is no part of it.
    for (const auto* const after : {"", "x", "\r\n", "PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\n"}) {
        const auto found = read(text + after);
        EXPECT_EQ(found.state, complete) << text;
        EXPECT_EQ(found.size, text.size()) << text;
        EXPECT_EQ(found.source, source) << text;
        EXPECT_EQ(found.port, port) << text;
        if (source != proxy_source::proxy) {
            EXPECT_EQ(host_of(found), host);
        }
    }
}

TEST(proxy_header, names_the_client_in_text) {
    expect_client("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n", proxy_source::ipv4,
                  "192.0.2.1", 56324);
    expect_client("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", proxy_source::ipv4,
                  "255.255.255.255", 65535);
    expect_client("PROXY TCP6 2001:db8::1 2001:db8::2 0 443\r\n", proxy_source::ipv6, "2001:db8::1",
                  0);
    expect_client(
        "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
        proxy_source::ipv6, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535);
    expect_client("PROXY TCP6 ::ffff:192.0.2.1 ::1 7 8\r\n", proxy_source::ipv6, "::ffff:192.0.2.1",
                  7);
}

TEST(proxy_header, names_no_client_in_text_that_the_proxy_does_not_know) {
    expect_client("PROXY UNKNOWN\r\n", proxy_source::proxy, "", 0);
    expect_client("PROXY UNKNOWN whatever comes here\r\n", proxy_source::proxy, "", 0);
    expect_client(
        "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
        proxy_source::proxy, "", 0);
}

TEST(proxy_header, names_the_client_in_binary) {
    expect_client(binary(0x21, 0x11, v4_ends), proxy_source::ipv4, "192.0.2.1", 56324);
    expect_client(binary(0x21, 0x21, v6_ends), proxy_source::ipv6, "2001:db8::1", 56324);
}

TEST(proxy_header, skips_further_fields) {
    for (const std::size_t size : {1U, 3U, 255U, 256U, 4068U}) {
        expect_client(binary(0x21, 0x11, v4_ends + std::string(size, '\x20')), proxy_source::ipv4,
                      "192.0.2.1", 56324);
    }
    expect_client(binary(0x21, 0x21, v6_ends + std::string(1000, '\n')), proxy_source::ipv6,
                  "2001:db8::1", 56324);
}

TEST(proxy_header, names_no_client_in_binary_of_the_proxy_itself_or_another_family) {
    expect_client(binary(0x20, 0x00, {}), proxy_source::proxy, "", 0);
    expect_client(binary(0x20, 0x11, v4_ends), proxy_source::proxy, "", 0);
    // Of LOCAL, the family has no meaning.
    expect_client(binary(0x20, 0xff, "anything"), proxy_source::proxy, "", 0);
    expect_client(binary(0x21, 0x00, {}), proxy_source::proxy, "", 0);
    expect_client(binary(0x21, 0x00, v4_ends), proxy_source::proxy, "", 0);
    expect_client(binary(0x21, 0x12, v4_ends), proxy_source::proxy, "", 0);
    expect_client(binary(0x21, 0x22, v6_ends), proxy_source::proxy, "", 0);
    expect_client(binary(0x21, 0x31, std::string(216, 'u')), proxy_source::proxy, "", 0);
}

// Cut anywhere, it asks for more than there is and for no more than the header.
TEST(proxy_header, asks_for_more_of_each_beginning) {
    const std::array headers{"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n"s,
                             "PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n"s,
                             "PROXY UNKNOWN\r\n"s,
                             binary(0x21, 0x11, v4_ends),
                             binary(0x21, 0x21, v6_ends + std::string(300, 't')),
                             binary(0x20, 0x00, {}),
                             binary(0x21, 0x31, std::string(216, 'u'))};
    for (const auto& header : headers) {
        const std::size_t certain = header.starts_with("PROXY ") ? 6 : signature.size();
        for (std::size_t size = 0; size < header.size(); ++size) {
            const auto found = read(std::string_view{header}.substr(0, size));
            EXPECT_EQ(found.state, incomplete) << header << size;
            EXPECT_EQ(found.is_certain, size >= certain) << header << size;
            EXPECT_GT(found.size, size) << header;
            EXPECT_LE(found.size, header.size()) << header << size;
        }
    }
}

TEST(proxy_header, leaves_other_beginnings_to_the_client) {
    for (const auto* const text :
         {"GET / HTTP/1.1\r\n", "PUT /a HTTP/1.1\r\n", "PROXY\r\n", "PROXYTCP4", "proxy TCP4 ",
          " PROXY ", "\r\nhello", "\r\n\r\nhello", "\n", "\x16\x03\x01", "hello"}) {
        const auto found = read(text);
        EXPECT_EQ(found.state, absent) << text;
        EXPECT_FALSE(found.is_certain) << text;
    }
    auto other = signature;
    for (std::size_t at = 0; at < other.size(); ++at) {
        other[at] ^= 1;
        EXPECT_EQ(read(other).state, absent) << at;
        other[at] ^= 1;
    }
}

TEST(proxy_header, refuses_text_that_is_malformed) {
    for (const auto* const rest : {"TCP4 192.0.2.1 198.51.100.7 56324 443\n",
                                   "TCP4 192.0.2.1 198.51.100.7 56324\r\n",
                                   "TCP4 192.0.2.1 198.51.100.7 56324 443 \r\n",
                                   "TCP4 192.0.2.1 198.51.100.7 56324 443 1\r\n",
                                   "TCP4  192.0.2.1 198.51.100.7 56324 443\r\n",
                                   "TCP4 192.0.2.1\r\n",
                                   "TCP4\r\n",
                                   "\r\n",
                                   "TCP4 192.0.2 198.51.100.7 56324 443\r\n",
                                   "TCP4 192.0.2.256 198.51.100.7 1 443\r\n",
                                   "TCP4 192.0.2.01 198.51.100.7 1 443\r\n",
                                   "TCP4 2001:db8::1 2001:db8::2 1 443\r\n",
                                   "TCP6 192.0.2.1 198.51.100.7 56324 443\r\n",
                                   "TCP4 a.example 198.51.100.7 1 443\r\n",
                                   "TCP6 2001:db8::1 2001:db8::2%lo 1 443\r\n",
                                   "TCP4 192.0.2.1 198.51.100.7 65536 443\r\n",
                                   "TCP4 192.0.2.1 198.51.100.7 1 65536\r\n",
                                   "TCP4 192.0.2.1 198.51.100.7 01 443\r\n",
                                   "TCP4 192.0.2.1 198.51.100.7 -1 443\r\n",
                                   "TCP4 192.0.2.1 198.51.100.7 +1 443\r\n",
                                   "TCP4 192.0.2.1 198.51.100.7  443\r\n",
                                   "UDP4 192.0.2.1 198.51.100.7 1 443\r\n",
                                   "tcp4 192.0.2.1 198.51.100.7 1 443\r\n",
                                   "UNKNOWNS\r\n",
                                   "UNKNOWN\n",
                                   "TCP4 192.0.2.1 198.51.100.7 1 443\r\r\n"}) {
        const auto found = read("PROXY "s + rest);
        EXPECT_EQ(found.state, malformed) << rest;
        EXPECT_TRUE(found.is_certain);
    }
    EXPECT_EQ(read("PROXY TCP4 192.0.2.1\0 198.51.100.7 1 443\r\n"s).state, malformed);
}

TEST(proxy_header, refuses_a_line_beyond_107_bytes) {
    const auto longest = "PROXY UNKNOWN "s + std::string(91, 'x') + "\r\n";
    ASSERT_EQ(longest.size(), longest_proxy_line);
    EXPECT_EQ(read(longest).state, complete);
    const auto longer = "PROXY UNKNOWN "s + std::string(92, 'x') + "\r\n";
    EXPECT_EQ(read(longer).state, too_long);
    EXPECT_EQ(read(std::string_view{longer}.substr(0, 106)).state, incomplete);
    EXPECT_EQ(read(std::string_view{longer}.substr(0, 107)).state, too_long);
    EXPECT_EQ(read("PROXY "s + std::string(100'000, 'x')).state, too_long);
}

TEST(proxy_header, refuses_binary_that_is_malformed) {
    for (unsigned first = 0; first < 256; ++first) {
        const auto found = read(binary(static_cast<unsigned char>(first), 0x11, v4_ends));
        const bool is_valid = first == 0x20 || first == 0x21;
        EXPECT_EQ(found.state, is_valid ? complete : malformed) << first;
    }
    for (unsigned second = 0; second < 256; ++second) {
        const auto text = binary(0x21, static_cast<unsigned char>(second), std::string(216, 'x'));
        const bool is_valid = second >> 4U <= 3 && (second & 0xfU) <= 2;
        EXPECT_EQ(read(text).state, is_valid ? complete : malformed) << second;
    }
    for (std::size_t size = 0; size < v4_ends.size(); ++size) {
        EXPECT_EQ(read(binary(0x21, 0x11, v4_ends.substr(0, size))).state, malformed) << size;
    }
    for (std::size_t size = 0; size < v6_ends.size(); ++size) {
        EXPECT_EQ(read(binary(0x21, 0x21, v6_ends.substr(0, size))).state, malformed) << size;
    }
}

// Known to be too long before all of it has come.
TEST(proxy_header, refuses_binary_beyond_4_kib) {
    const std::string fits(longest_proxy_header - 16, 'x');
    EXPECT_EQ(read(binary(0x21, 0x00, fits)).state, complete);
    EXPECT_EQ(read(binary(0x21, 0x00, fits)).size, longest_proxy_header);
    const auto longer = binary(0x21, 0x00, fits + 'x');
    EXPECT_EQ(read(longer).state, too_long);
    EXPECT_EQ(read(std::string_view{longer}.substr(0, 16)).state, too_long);
    EXPECT_EQ(read(binary(0x20, 0x00, std::string(65'535, 'x'))).state, too_long);
}

}  // namespace
}  // namespace sluice::wire
