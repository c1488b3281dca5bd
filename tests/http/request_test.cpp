// Heads of requests: what they say, what is refused, and that a split changes nothing.
#include "sluice/http/request.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/http/authority.hpp"

namespace sluice::test {
namespace {

using namespace http;

/// What is made of `bytes` that come in pieces of `piece`: `more`, `STATUS`, or what it says.
std::string read_in_pieces(std::string_view bytes, std::size_t piece,
                           http_head_scanner::limits limits = {}) {
    http_head_scanner scanner{limits};
    std::size_t shown = 0;
    for (;;) {
        shown = std::min(bytes.size(), shown + piece);
        const auto found = scanner.scan(bytes.substr(0, shown));
        if (!found) return std::to_string(found.error().status);
        if (*found) {
            http_request r;
            const auto parsed = parse_request(bytes.substr(0, **found), r);
            if (!parsed) return std::to_string(parsed.error().status);
            std::string text{r.target};
            if (r.keeps_alive) text += " keeps";
            if (r.is_old) text += " old";
            if (r.expects_go_ahead) text += " expects";
            if (r.chunked) text += " chunked";
            if (r.length) text += " length=" + std::to_string(*r.length);
            return text + " left=" + std::to_string(bytes.size() - **found);
        }
        if (shown == bytes.size()) return "more";
    }
}

std::string read(std::string_view bytes, http_head_scanner::limits limits = {}) {
    const auto whole = read_in_pieces(bytes, std::string_view::npos / 2, limits);
    for (const std::size_t piece : {1U, 2U, 3U, 7U, 61U}) {
        EXPECT_EQ(read_in_pieces(bytes, piece, limits), whole) << bytes << " by " << piece;
    }
    return whole;
}

/// A request with these lines, each given its end, and the empty line behind them.
template <class... Line>
std::string lines(Line... line) {
    return ((std::string{line} + "\r\n") + ...) + "\r\n";
}

TEST(http_request, says_what_is_asked) {
    EXPECT_EQ(read(lines("GET /a HTTP/1.1", "Host: x")), "/a keeps left=0");
    EXPECT_EQ(read(lines("GET /a HTTP/1.0")), "/a old left=0");
    EXPECT_EQ(read(lines("GET /a HTTP/1.0", "connection: Keep-Alive")), "/a keeps old left=0");
    EXPECT_EQ(read(lines("GET /a HTTP/1.1", "Host: x", "Connection: foo, Close")), "/a left=0");
    EXPECT_EQ(read(lines("PUT /a HTTP/1.1", "Host: x", "Content-Length: 5") + "hello"),
              "/a keeps length=5 left=5");
    EXPECT_EQ(read(lines("PUT /a HTTP/1.1", "Host: x", "Content-Length: 9223372036854775807")),
              "/a keeps length=9223372036854775807 left=0");
    EXPECT_EQ(read(lines("PUT /a HTTP/1.1", "Host: x", "Transfer-Encoding: Chunked",
                         "Expect: 100-Continue")),
              "/a keeps expects chunked left=0");
    EXPECT_EQ(read("\r\n\r\n" + lines("GET / HTTP/1.1", "Host: x") + "GET"), "/ keeps left=3");
    EXPECT_EQ(read("GET / HTTP/1.1\r\nHost: x\r\n"), "more");
    EXPECT_EQ(read(""), "more");
    EXPECT_EQ(read("\r\n\r"), "more");
}

TEST(http_request, fields_are_found_in_any_case_and_lists_go_on) {
    const auto head = lines("GET / HTTP/1.1", "HOST: x", "if-none-match:  \"a\" ",
                            "If-None-Match: \"b\"", "REPR-digest: d", "X-Other: y");
    http_request r;
    ASSERT_TRUE(parse_request(head, r));
    EXPECT_EQ(r.field(http_field::host), "x");
    EXPECT_EQ(r.field(http_field::if_none_match), "\"a\"");
    EXPECT_EQ(r.field(http_field::repr_digest), "d");
    EXPECT_FALSE(r.has(http_field::range));
    EXPECT_EQ(r.fields.size(), 4U);
    // Used again, it remembers nothing.
    const auto other = lines("DELETE /x HTTP/1.0");
    ASSERT_TRUE(parse_request(other, r));
    EXPECT_EQ(r.method, http_method::remove);
    EXPECT_TRUE(r.fields.empty());
}

TEST(http_request, what_is_ambiguous_is_refused) {
    const auto with = [](auto... line) {
        return read(lines("PUT /a HTTP/1.1", "Host: x", line...));
    };
    EXPECT_EQ(with("Content-Length: 5", "Content-Length: 5"), "400");
    EXPECT_EQ(with("Content-Length: 5", "Content-Length: 6"), "400");
    EXPECT_EQ(with("Content-Length: 5, 5"), "400");
    EXPECT_EQ(with("Content-Length: 5", "Transfer-Encoding: chunked"), "400");
    EXPECT_EQ(with("Transfer-Encoding: chunked", "Content-Length: 5"), "400");
    EXPECT_EQ(with("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), "400");
    EXPECT_EQ(with("Transfer-Encoding: gzip, chunked"), "501");
    EXPECT_EQ(with("Transfer-Encoding: gzip"), "501");
    for (const auto* codings :
         {"", ",", ", chunked", "chunked,", "chunked, identity", "chunked, gzip",
          "chunked, chunked", "chunked, gzip, chunked", "gzip, chunked, chunked"}) {
        EXPECT_EQ(with(std::string{"Transfer-Encoding: "} + codings), "400") << codings;
    }
    EXPECT_EQ(read(lines("PUT /a HTTP/1.0", "Transfer-Encoding: chunked")), "400");
    for (const auto* length :
         {"", "+5", "-5", "0x5", "5 5", "5;", "18446744073709551616", "five"}) {
        EXPECT_EQ(with(std::string{"Content-Length: "} + length), "400") << length;
    }
    EXPECT_EQ(with("Content-Length: 9223372036854775807"),
              "/a keeps length=9223372036854775807 left=0");
    EXPECT_EQ(with("Content-Length: 9223372036854775808"), "413");
    EXPECT_EQ(with("Host: y"), "400");
    EXPECT_EQ(with("Range: bytes=0-1", "Range: bytes=2-3"), "400");
    EXPECT_EQ(with("Expect: 200-ok"), "417");
    EXPECT_EQ(with("Expect: "), with());
    EXPECT_EQ(read(lines("GET /a HTTP/1.1")), "400");
}

TEST(http_request, what_is_no_head_is_refused) {
    EXPECT_EQ(read("GET / HTTP/1.1\nHost: x\n\n"), "400");
    EXPECT_EQ(read("GET / HTTP/1.1\r\nHost: x\n\r\n"), "400");
    EXPECT_EQ(read("\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"), "400");
    EXPECT_EQ(read(lines("GET / HTTP/1.1", "Host: x", " folded")), "400");
    EXPECT_EQ(read(lines("GET / HTTP/1.1", "Host: x", "\tfolded")), "400");
    EXPECT_EQ(read(lines("GET / HTTP/1.1", " Host: x")), "400");
    EXPECT_EQ(read(lines("GET / HTTP/1.1", "Host : x")), "400");
    EXPECT_EQ(read(lines("GET / HTTP/1.1", "Host: x", "no colon")), "400");
    EXPECT_EQ(read(lines("GET / HTTP/1.1", "Host: x", ": empty")), "400");
    EXPECT_EQ(read(lines("GET / HTTP/1.1", "Host: x", "a: b\rc")), "400");
    EXPECT_EQ(read(lines("GET / HTTP/1.1", "Host: x", "a: b\x01")), "400");
    EXPECT_EQ(read(lines("GET / HTTP/1.1", "Host: x", std::string{"a: b\0c", 6})), "400");
    EXPECT_EQ(read(lines(std::string{"GET /\0 HTTP/1.1", 15}, "Host: x")), "400");
    EXPECT_EQ(read(lines("GET / HTTP/1.1 ", "Host: x")), "400");
    EXPECT_EQ(read(lines("GET  / HTTP/1.1", "Host: x")), "400");
    EXPECT_EQ(read(lines(" GET / HTTP/1.1", "Host: x")), "400");
    EXPECT_EQ(read(lines("GET / http/1.1", "Host: x")), "400");
    EXPECT_EQ(read(lines("GET /", "Host: x")), "400");
    EXPECT_EQ(read(lines("GET / a HTTP/1.1", "Host: x")), "400");
    EXPECT_EQ(read(lines("\x16\x03\x01", "")), "400");
    EXPECT_EQ(read(lines("GET / HTTP/2.0", "Host: x")), "505");
    EXPECT_EQ(read(lines("PRI * HTTP/2.0")), "505");
}

TEST(http_request, limits_hold_to_the_byte) {
    const http_head_scanner::limits limits{.line = 20, .head = 60};
    EXPECT_EQ(read(lines("GET /" + std::string(6, 'a') + " HTTP/1.1", "Host: x"), limits),
              "/aaaaaa keeps left=0");
    EXPECT_EQ(read(lines("GET /" + std::string(7, 'a') + " HTTP/1.1", "Host: x"), limits), "414");
    EXPECT_EQ(read(std::string(22, 'a'), limits), "414");
    EXPECT_EQ(read(std::string(21, 'a'), limits), "more");
    const auto head = [](std::size_t size) {
        return lines("GET / HTTP/1.1", "Host: x", std::string(size - 30, 'a') + ':');
    };
    EXPECT_EQ(head(60).size(), 60U);
    EXPECT_EQ(read(head(60), limits), "/ keeps left=0");
    EXPECT_EQ(read(head(61), limits), "431");
    EXPECT_EQ(read("\r\n" + head(60), limits), "431");
}

TEST(http_request, a_scanner_knows_whether_a_head_has_begun) {
    const auto begun = [](std::string_view bytes) {
        http_head_scanner scanner{{}};
        static_cast<void>(scanner.scan(bytes));
        return scanner.begun();
    };
    EXPECT_FALSE(begun(""));
    EXPECT_FALSE(begun("\r"));
    EXPECT_FALSE(begun("\r\n\r\n"));
    EXPECT_TRUE(begun("G"));
    EXPECT_TRUE(begun("\r\nGE"));
    EXPECT_TRUE(begun("GET / HTTP/1.1\r\n"));
}

std::string target(std::string_view text) {
    const auto found = split_target(text);
    if (!found) return "none";
    return std::string{found->path} + " | " + std::string{found->query};
}

TEST(http_request, a_host_is_one_host_and_a_port) {
    for (const auto* good : {"x", "a.example", "a.example:80", "a.example:", "127.0.0.1:8080",
                             "[::1]", "[::1]:80", "[2001:db8::a]:", "a%20b", "_x-~!$&'()*+;="}) {
        EXPECT_TRUE(is_authority(good)) << good;
        EXPECT_EQ(read(lines("GET / HTTP/1.1", std::string{"Host: "} + good)), "/ keeps left=0")
            << good;
        EXPECT_EQ(target(std::string{"http://"} + good + "/a"), "/a | ") << good;
    }
    EXPECT_FALSE(is_authority({"[::1\0x]", 7}));
    for (const auto* bad : {"",
                            "user@localhost",
                            "localhost/path",
                            "###",
                            "a.example, b.example",
                            "a,b",
                            "abc\\foo",
                            "localhost:80x",
                            "localhost:-1",
                            "localhost:65536",
                            "localhost:80:80",
                            ":80",
                            "[::1",
                            "::1",
                            "[]",
                            "[127.0.0.1]",
                            "[::1]x",
                            "[::1%25lo]",
                            "a b",
                            "a%2",
                            "a%zz",
                            "a?b",
                            "<a>",
                            "\xc3\xa4"}) {
        EXPECT_FALSE(is_authority(bad)) << bad;
        EXPECT_EQ(read(lines("GET / HTTP/1.1", std::string{"Host: "} + bad)), "400") << bad;
        EXPECT_EQ(read(lines("GET / HTTP/1.0", std::string{"Host: "} + bad)), "400") << bad;
    }
}

TEST(http_request, a_later_version_is_read_as_one_of_ours) {
    const auto head = lines("GET /a HTTP/1.2", "Host: x", "Range: bytes=0-1");
    http_request r;
    ASSERT_TRUE(parse_request(head, r));
    EXPECT_FALSE(r.is_old);
    EXPECT_TRUE(r.keeps_alive);
    // Views of the head itself, though it was not what was parsed.
    EXPECT_EQ(r.target.data(), head.data() + 4);
    EXPECT_EQ(r.field(http_field::range), "bytes=0-1");
    EXPECT_GE(r.field(http_field::range).data(), head.data());
    EXPECT_LT(r.field(http_field::range).data(), head.data() + head.size());
    EXPECT_EQ(read(lines("GET / HTTP/1.9", "Host: x")), "/ keeps left=0");
    EXPECT_EQ(read(lines("GET / HTTP/0.9", "Host: x")), "505");
    EXPECT_EQ(read(lines("GET / HTTP/1.10", "Host: x")), "400");
}

TEST(http_request, what_a_request_said_is_not_said_by_the_next) {
    http_request r;
    const auto head = lines("HEAD /a HTTP/1.1", "Host: x", "Expect: 100-continue");
    ASSERT_TRUE(parse_request(head, r));
    EXPECT_EQ(r.method, http_method::head);
    EXPECT_FALSE(parse_request("BAD\r\n\r\n", r));
    EXPECT_EQ(r.method, http_method::unknown);
    EXPECT_TRUE(r.target.empty() && r.fields.empty() && !r.expects_go_ahead && !r.keeps_alive);
}

TEST(http_request, targets_are_paths_or_urls) {
    EXPECT_EQ(target("/a%20b"), "/a%20b | ");
    EXPECT_EQ(target("/a?b=c?d"), "/a | b=c?d");
    EXPECT_EQ(target("*"), "* | ");
    EXPECT_EQ(target("http://host:80/a?b"), "/a | b");
    EXPECT_EQ(target("HTTP://host"), "/ | ");
    EXPECT_EQ(target("http://host?q"), "/ | q");
    for (const auto* bad :
         {"", "a", "host:80", "http:///a", "ftp://host/a", "/a#b", "?a", "http://host#a",
          "http://host/a#b", "http://host?a#b", "*#a", "#", "http://host:80x/a",
          "http://foo@host/a", "http://a:80:80/a", "http://a,b/"}) {
        EXPECT_EQ(target(bad), "none") << bad;
    }
}

TEST(http_request, queries_have_parameters) {
    EXPECT_TRUE(query_has("download", "download"));
    EXPECT_TRUE(query_has("a=1&format=json", "format", "json"));
    EXPECT_TRUE(query_has("download=", "download"));
    EXPECT_FALSE(query_has("a=download", "download"));
    EXPECT_FALSE(query_has("format=html", "format", "json"));
    EXPECT_FALSE(query_has("", "download"));
}

}  // namespace
}  // namespace sluice::test
