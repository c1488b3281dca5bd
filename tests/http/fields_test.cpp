// The values of HTTP's fields: dates, ranges, digests, tags, paths, names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/parse_number.hpp"
#include "sluice/http/accept.hpp"
#include "sluice/http/content_disposition.hpp"
#include "sluice/http/content_type.hpp"
#include "sluice/http/date.hpp"
#include "sluice/http/digest_field.hpp"
#include "sluice/http/entity_tag.hpp"
#include "sluice/http/percent.hpp"
#include "sluice/http/range.hpp"
#include "sluice/http/text.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;
using namespace http;
using std::chrono::sys_days;
using ::testing::ElementsAre;

std::vector<std::string> elements(std::string_view list) {
    std::vector<std::string> found;
    while (const auto each = next_element(list)) found.emplace_back(*each);
    return found;
}

TEST(http_text, lists_are_split_at_commas_outside_of_quotes) {
    EXPECT_THAT(elements("a, b ,c"), ElementsAre("a", "b", "c"));
    EXPECT_THAT(elements(R"("a,b", W/"c\",d")"), ElementsAre(R"("a,b")", R"(W/"c\",d")"));
    EXPECT_THAT(elements(",a,"), ElementsAre("", "a", ""));
    EXPECT_THAT(elements(R"("open)"), ElementsAre(R"("open)"));
    EXPECT_THAT(elements(R"("open\)"), ElementsAre(R"("open\)"));
}

TEST(http_text, digits_have_no_sign_and_fit) {
    EXPECT_EQ(parse_number("18446744073709551615"), std::numeric_limits<std::uint64_t>::max());
    for (const auto* bad : {"", "+1", "-1", " 1", "1 ", "0x1", "18446744073709551616", "1,1"}) {
        EXPECT_FALSE(parse_number(bad)) << bad;
    }
}

constexpr auto in_1994 =
    sys_days{std::chrono::year{1994} / std::chrono::November / 6} + 8h + 49min + 37s;

TEST(http_date, is_written_in_one_form_and_read_in_three) {
    EXPECT_EQ(format_http_date(in_1994), "Sun, 06 Nov 1994 08:49:37 GMT");
    EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), in_1994);
    EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), in_1994);
    EXPECT_EQ(parse_http_date("Sun Nov  6 08:49:37 1994"), in_1994);
    EXPECT_EQ(format_http_date(sys_days{} + 0s), "Thu, 01 Jan 1970 00:00:00 GMT");
}

TEST(http_date, what_it_writes_it_reads) {
    for (std::chrono::sys_seconds when = sys_days{} - 400 * 24h;
         when < sys_days{} + 200 * 366 * 24h; when += 977 * 3601s) {
        EXPECT_EQ(parse_http_date(format_http_date(when)), when);
    }
}

TEST(http_date, what_is_none_is_refused) {
    for (const auto* bad :
         {"", "now", "Sun, 06 Nov 1994", "Sun, 06 Nov 1994 08:49:37",
          "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
          "Sun, 06 Nov 1994 08:60:37 GMT", "Son, 06 Nov 1994 08:49:37 GMT",
          "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT ",
          "Sun, 6 Nov 1994 08:49:37 GMT", "784111777", ",", "Sun, 06 Nov -994 08:49:37 GMT"}) {
        EXPECT_FALSE(parse_http_date(bad)) << bad;
    }
}

TEST(percent, decodes_once) {
    EXPECT_EQ(percent_decode("/a%20b%2Fc%2f"), "/a b/c/");
    EXPECT_EQ(percent_decode("%252e%252E"), "%2e%2E");
    EXPECT_EQ(percent_decode("%00"), std::string(1, '\0'));
    EXPECT_EQ(percent_decode("a+b"), "a+b");
    for (const auto* bad : {"%", "%2", "a%", "%g0", "%0g", "%%20", "% 20"}) {
        EXPECT_FALSE(percent_decode(bad)) << bad;
    }
}

TEST(percent, encodes_what_is_not_plain) {
    EXPECT_EQ(percent_encode_path("/dir/a b%?#\"<>.txt"), "/dir/a%20b%25%3F%23%22%3C%3E.txt");
    EXPECT_EQ(percent_encode_path("grüß"), "gr%C3%BC%C3%9F");
    EXPECT_EQ(percent_encode_name("a/b"), "a%2Fb");
    std::string all;
    for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
    EXPECT_EQ(percent_decode(percent_encode_path(all)), all);
}

/// As text: `all`, `none`, or `offset+length` each.
std::string ranges(std::string_view field, std::uint64_t size, std::size_t most = 10) {
    const auto found = parse_range(field, size, most);
    if (found.what == asked_range::kind::everything) return "all";
    if (found.what == asked_range::kind::unsatisfiable) return "none";
    std::string text;
    for (const auto& each : found.parts) {
        if (!text.empty()) text += ' ';
        text += std::to_string(each.offset) + '+' + std::to_string(each.length);
    }
    return text;
}

TEST(http_range, one_is_cut_to_the_file) {
    EXPECT_EQ(ranges("bytes=0-99", 1000), "0+100");
    EXPECT_EQ(ranges("bytes=0-0", 1000), "0+1");
    EXPECT_EQ(ranges("bytes=900-", 1000), "900+100");
    EXPECT_EQ(ranges("bytes=999-5000", 1000), "999+1");
    EXPECT_EQ(ranges("bytes=-100", 1000), "900+100");
    EXPECT_EQ(ranges("bytes=-5000", 1000), "0+1000");
    EXPECT_EQ(ranges("bytes=0-18446744073709551615", 1000), "0+1000");
    EXPECT_EQ(ranges("bytes=0-99999999999999999999999999", 1000), "0+1000");
    EXPECT_EQ(ranges("bytes=-99999999999999999999999999", 1000), "0+1000");
    EXPECT_EQ(ranges("Bytes = 1-2", 1000), "1+2");
}

TEST(http_range, nothing_of_the_file_is_not_all_of_it) {
    EXPECT_EQ(ranges("bytes=1000-", 1000), "none");
    EXPECT_EQ(ranges("bytes=99999999999999999999-", 1000), "none");
    EXPECT_EQ(ranges("bytes=-0", 1000), "none");
    EXPECT_EQ(ranges("bytes=0-", 0), "none");
    EXPECT_EQ(ranges("bytes=-5", 0), "none");
}

TEST(http_range, what_makes_no_sense_is_ignored) {
    for (const auto* bad : {"", "bytes", "bytes=", "bytes=,", "lines=1-2", "bytes=2-1", "bytes=a-b",
                            "bytes=1-2-3", "bytes=--1", "bytes=-", "bytes=1", "bytes=+1-2",
                            "bytes=0-9,x", "bytes=1-2;3-4", "bytes 1-2"}) {
        EXPECT_EQ(ranges(bad, 1000), "all") << bad;
    }
}

TEST(http_range, several_keep_their_order_and_are_joined_where_they_touch) {
    EXPECT_EQ(ranges("bytes=500-509, 0-9 ,-1", 1000), "500+10 0+10 999+1");
    EXPECT_EQ(ranges("bytes=0-9,10-19", 1000), "0+20");
    EXPECT_EQ(ranges("bytes=10-19,0-9,30-39", 1000), "0+20 30+10");
    EXPECT_EQ(ranges("bytes=0-,0-,0-,0-", 1000), "0+1000");
    EXPECT_EQ(ranges("bytes=900-999,0-0,5000-", 1000), "900+100 0+1");
    EXPECT_EQ(ranges("bytes=0-0,2-2,4-4,6-6", 1000, 3), "all");
    std::string many = "bytes=0-0";
    for (int i = 0; i < 5000; ++i) many += ",0-0";
    EXPECT_EQ(ranges(many, 1000), "all");
}

TEST(content_range, is_read_and_written) {
    const content_range part{.part = byte_part{.offset = 0, .length = 100}, .total = 1000};
    EXPECT_EQ(parse_content_range("bytes 0-99/1000"), part);
    EXPECT_EQ(format_content_range(part), "bytes 0-99/1000");
    const content_range question{.part = {}, .total = 1000};
    EXPECT_EQ(parse_content_range("bytes */1000"), question);
    EXPECT_EQ(format_content_range(question), "bytes */1000");
    const content_range open{.part = byte_part{.offset = 5, .length = 1}, .total = {}};
    EXPECT_EQ(parse_content_range("bytes 5-5/*"), open);
    for (const auto* bad :
         {"", "bytes", "bytes 0-99", "bytes */*", "bytes 99-0/1000", "bytes 0-1000/1000",
          "bytes 0-99/x", "lines 0-99/1000", "bytes=0-99/1000", "bytes 0-/1000", "bytes -5/1000",
          "bytes 0-18446744073709551615/*", "bytes 0-99/18446744073709551616"}) {
        EXPECT_FALSE(parse_content_range(bad)) << bad;
    }
}

TEST(content_range, how_much_has_arrived) {
    EXPECT_EQ(parse_arrived("bytes=0-99"), 100U);
    EXPECT_EQ(format_arrived(100), "bytes=0-99");
    for (const auto* bad : {"", "bytes=1-99", "bytes=0-", "bytes 0-99", "bytes=-5", "0-99"}) {
        EXPECT_FALSE(parse_arrived(bad)) << bad;
    }
}

sha256_value counting() {
    sha256_value value{};
    for (std::size_t i = 0; i < value.size(); ++i) value[i] = static_cast<std::byte>(7 * i + 250);
    return value;
}

TEST(digest_field, has_one_text_in_either_writing) {
    const auto nothing =
        sha256_from_hex("E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855");
    ASSERT_TRUE(nothing);
    EXPECT_EQ(to_hex(*nothing), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(format_repr_digest(*nothing),
              "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:");
    EXPECT_FALSE(sha256_from_hex("e3b0"));
    EXPECT_FALSE(sha256_from_hex(std::string(64, 'g')));
}

TEST(digest_field, what_it_writes_it_reads_among_others) {
    const auto value = counting();
    const auto text = format_repr_digest(value);
    EXPECT_EQ(parse_repr_digest(text).value(), value);
    EXPECT_EQ(parse_repr_digest("sha-512=:AAAA:, " + text + ";a=1").value(), value);
    EXPECT_EQ(parse_repr_digest("sha-512=:AAAA:").value(), std::nullopt);
    EXPECT_EQ(parse_repr_digest("").value(), std::nullopt);
    for (const auto* bad : {"sha-256", "sha-256=", "sha-256=::", "sha-256=:AAAA:", "sha-256=abc",
                            "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
                            "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=:",
                            "sha-256=:47DEQpj8HBSa_-TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"}) {
        EXPECT_FALSE(parse_repr_digest(bad)) << bad;
    }
}

TEST(digest_field, whether_it_is_wanted_or_not_to_be_sent) {
    for (const auto* wanted : {"sha-256=1", "sha-512=3, sha-256=10", "sha-256=0, sha-256=2"}) {
        EXPECT_EQ(wants_sha256(wanted), true) << wanted;
    }
    for (const auto* unwanted : {"sha-256=0", "sha-512=1, sha-256=0", "sha-256", "sha-256=x"}) {
        EXPECT_EQ(wants_sha256(unwanted), false) << unwanted;
    }
    for (const auto* silent : {"", "sha-512=1", "sha-512=0"}) {
        EXPECT_EQ(wants_sha256(silent), std::nullopt) << silent;
    }
}

std::string_view best(std::string_view accepted) {
    constexpr std::array<std::string_view, 2> offers{"text/html", "application/json"};
    return offers[best_of(accepted, offers)];
}

TEST(accept, weights_decide_then_closeness_then_order) {
    for (const auto* html :
         {"", "*/*", "text/html", "text/*", "image/png", "text/html, application/json",
          "application/json;q=0.5, text/html;q=0.7", "application/json;q=0", "*/*;q=0.1",
          "application/json;q=0, */*", "application/*;q=0.2, */*;q=0.3", "garbage,,;q=,",
          "application/json;version=1", "text/html;q=0, application/json;q=0",
          "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}) {
        EXPECT_EQ(best(html), "text/html") << html;
    }
    for (const auto* json :
         {"application/json", "APPLICATION/JSON", "application/json, text/plain, */*",
          "text/html;q=0.5, application/json;q=0.7", "text/html;q=0, */*", "text/html;q=0",
          "application/json, text/html", "application/json;q=0.001, text/html;q=0",
          "application/*, text/html;q=0.999", "text/*;q=0.1, */*;q=0.2",
          "application/json; charset=utf-8", "application/json ; Q=1.000 , text/html;q=0.9",
          "text/html;q=2, application/json;q=0.1", "text/html;level=1, application/json;q=0.1"}) {
        EXPECT_EQ(best(json), "application/json") << json;
    }
}

TEST(entity_tag, is_found_in_lists) {
    EXPECT_TRUE(lists_strongly(R"("a", "b")", R"("b")"));
    EXPECT_TRUE(lists_strongly("*", R"("b")"));
    EXPECT_FALSE(lists_strongly(R"(W/"b")", R"("b")"));
    EXPECT_TRUE(lists_weakly(R"("a", W/"b")", R"("b")"));
    EXPECT_FALSE(lists_weakly(R"("a", b)", R"("b")"));
    EXPECT_FALSE(lists_strongly("", R"("b")"));
    EXPECT_TRUE(is_entity_tag(R"(W/"")"));
    EXPECT_FALSE(is_entity_tag("Sun, 06 Nov 1994 08:49:37 GMT"));
    EXPECT_FALSE(is_entity_tag(R"("a", "b")"));
    EXPECT_FALSE(is_entity_tag("\"a\x7f\""));
    // A backslash is no escape.
    EXPECT_TRUE(is_entity_tag(R"("a\")"));
    EXPECT_TRUE(lists_weakly(R"("a\", "b")", R"("b")"));
    EXPECT_TRUE(lists_strongly(R"("a\")", R"("a\")"));
}

TEST(content_type, goes_by_the_extension) {
    EXPECT_EQ(content_type_of("a.HTML"), "text/html; charset=utf-8");
    EXPECT_EQ(content_type_of("dir.txt/a.tar.gz"), "application/gzip");
    // Of Debian's list, of ours, and of ours where Debian has another.
    EXPECT_EQ(content_type_of("a.odt"), "application/vnd.oasis.opendocument.text");
    EXPECT_EQ(content_type_of("a.toml"), "application/toml");
    EXPECT_EQ(content_type_of("a.cpp"), "text/plain; charset=utf-8");
    for (const auto* unknown : {"", "a", "a.", "dir.txt/a", "a.thisislongerthanany", "a.txt2"}) {
        EXPECT_EQ(content_type_of(unknown), "application/octet-stream") << unknown;
    }
}

TEST(content_type, is_distinguished_from_what_is_none) {
    for (const auto* good : {"text/html", "text/html; charset=utf-8", "a/b;c=\"d \\\" e\"",
                             "a/b ; c=d", "application/vnd.x+json", "a/b;", "a/b;;c=d"}) {
        EXPECT_TRUE(is_media_type(good)) << good;
    }
    for (const auto* bad : {"", "text", "text/", "/html", "a/b c", "a/b;c", "a/b;c=", "a/b;c=\"d",
                            "a/b;c=\"\x01\"", "a /b", "a/b\r\nX: y", "a/b, c/d"}) {
        EXPECT_FALSE(is_media_type(bad)) << bad;
    }
    EXPECT_FALSE(is_media_type("a/" + std::string(longest_media_type, 'b')));
}

TEST(content_disposition, gives_every_name) {
    EXPECT_EQ(attachment_named("a b.bin"), R"(attachment; filename="a b.bin")");
    EXPECT_EQ(attachment_named(R"(a"\%.bin)"),
              R"(attachment; filename="a___.bin"; filename*=UTF-8''a%22%5C%25.bin)");
    EXPECT_EQ(attachment_named("grün"),
              "attachment; filename=\"gr__n\"; filename*=UTF-8''gr%C3%BCn");
}

}  // namespace
}  // namespace sluice::test
