// Whose page asks: hosts that are this server, origins that are its own, and all others.
#include "sluice/http/visitor_origin.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "sluice/http/authority.hpp"
#include "sluice/http/request.hpp"

namespace sluice::http {
namespace {

TEST(visitor_origin, is_asked_by_address_by_local_name_or_by_its_own) {
    const visitor_origin rules{{"files.example.org"}, {}, "box.lan"};
    for (const std::string_view ours :
         {"127.0.0.1", "127.0.0.1:8080", "10.1.2.3:80", "[::1]", "[::1]:8080", "[fe80::1]:1",
          "localhost", "localhost:8080", "LOCALHOST:1", "localhost.", "app.localhost:8080", "a",
          "box.lan", "BOX.lan:8080", "box.lan.", "box.lan.local", "files.example.org",
          "Files.Example.ORG:443", "127.1"}) {
        ASSERT_TRUE(is_authority(ours)) << ours;
        EXPECT_TRUE(rules.is_for_us(ours)) << ours;
    }
    for (const std::string_view others :
         {"evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example",
          "xlocalhost.example", "box.lan.evil.example", "files.example.org.evil.example",
          "example.org", "evil.example.", "1.2.3.4x", "other.local"}) {
        ASSERT_TRUE(is_authority(others)) << others;
        EXPECT_FALSE(rules.is_for_us(others)) << others;
    }
}

struct asking {
    std::string_view host = "127.0.0.1:8080";
    std::string_view origin = {};
    std::string_view site = {};
};

http_request request_of(const asking& a) {
    http_request made;
    made.fields.emplace_back(http_field::host, a.host);
    if (!a.origin.empty()) made.fields.emplace_back(http_field::origin, a.origin);
    if (!a.site.empty()) made.fields.emplace_back(http_field::sec_fetch_site, a.site);
    return made;
}

TEST(visitor_origin, finds_pages_from_elsewhere) {
    const visitor_origin rules{{"files.example.org"}, {"https://friend.example"}, "box"};
    for (const asking& own : {
             asking{},
             asking{.site = "same-origin"},
             asking{.site = "none"},
             asking{.origin = "http://127.0.0.1:8080"},
             asking{.origin = "HTTP://127.0.0.1:8080", .site = "same-origin"},
             asking{.host = "localhost", .origin = "http://localhost:80"},
             asking{.host = "localhost:443", .origin = "https://localhost"},
             // Behind a proxy that ends TLS and asks by address.
             asking{.origin = "https://files.example.org"},
             asking{.origin = "https://files.example.org:8443"},
             asking{.origin = "https://friend.example", .site = "cross-site"},
         }) {
        EXPECT_FALSE(rules.is_foreign(request_of(own))) << own.origin << ' ' << own.site;
    }
    for (const asking& foreign : {
             asking{.origin = "null"},
             asking{.origin = "http://evil.example"},
             asking{.origin = "http://127.0.0.1:9090"},
             asking{.origin = "http://127.0.0.1"},
             asking{.origin = "file://"},
             asking{.site = "cross-site"},
             asking{.site = "same-site"},
             asking{.site = "something-new"},
             asking{.origin = "http://127.0.0.1:8080", .site = "cross-site"},
             asking{.origin = "http://friend.example"},
             asking{.origin = "https://friend.example.evil.example"},
             asking{.host = "localhost", .origin = "https://localhost:80"},
         }) {
        EXPECT_TRUE(rules.is_foreign(request_of(foreign))) << foreign.origin << ' ' << foreign.site;
    }
}

TEST(visitor_origin, lets_named_pages_read_answers) {
    const visitor_origin some{{}, {"https://friend.example:8443"}, {}};
    EXPECT_EQ(some.allowed_page(request_of({.origin = "https://friend.example:8443"})),
              "https://friend.example:8443");
    EXPECT_EQ(some.allowed_page(request_of({.origin = "https://friend.example"})), "");
    EXPECT_EQ(some.allowed_page(request_of({})), "");
    const visitor_origin all{{}, {"*"}, {}};
    EXPECT_EQ(all.allowed_page(request_of({.origin = "null"})), "*");
    EXPECT_FALSE(all.is_foreign(request_of({.origin = "null", .site = "cross-site"})));
}

TEST(visitor_origin, says_what_an_origin_is) {
    for (const std::string_view good :
         {"*", "https://example.org", "http://127.0.0.1:8080", "http://[::1]:1"}) {
        EXPECT_EQ(visitor_origin::why_no_page(good), "") << good;
    }
    for (const std::string_view bad : {"", "example.org", "https://", "https://example.org/",
                                       "https://a b", "ftp://example.org", "null"}) {
        EXPECT_NE(visitor_origin::why_no_page(bad), "") << bad;
    }
}

TEST(authority_of, prefers_an_absolute_target) {
    http_request r = request_of({.host = "a:1"});
    r.target = "/x";
    EXPECT_EQ(authority_of(r), "a:1");
    r.target = "http://b:2/x";
    EXPECT_EQ(authority_of(r), "b:2");
    r.target = "HTTPS://c?x";
    EXPECT_EQ(authority_of(r), "c");
    EXPECT_EQ(authority_of({}), "");
}

}  // namespace
}  // namespace sluice::http
