// Chunked bodies: what they hold, what is refused, and that a split changes nothing.
#include "sluice/http/chunked.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace sluice::test {
namespace {

using http::chunk_decoder;

/// The body, then ` more`, ` bad` or ` left=N`, and the trailer if there was one.
std::string decode_in_pieces(std::string_view bytes, std::size_t piece) {
    chunk_decoder decoder;
    std::string body;
    while (!bytes.empty()) {
        auto shown = bytes.substr(0, std::min(piece, bytes.size()));
        for (;;) {
            const auto step = decoder.next(shown);
            body += step.data;
            shown.remove_prefix(step.taken);
            bytes.remove_prefix(step.taken);
            if (step.what == chunk_decoder::found::mistake) return body + " bad";
            if (step.what == chunk_decoder::found::end) {
                EXPECT_EQ(decoder.given(), body.size());
                return body + " left=" + std::to_string(bytes.size()) + decoder.repr_digest();
            }
            if (step.what == chunk_decoder::found::nothing) break;
        }
    }
    return body + " more";
}

std::string decode(std::string_view bytes) {
    const auto whole = decode_in_pieces(bytes, bytes.size());
    for (const std::size_t piece : {1U, 2U, 3U, 5U}) {
        EXPECT_EQ(decode_in_pieces(bytes, piece), whole) << bytes << " by " << piece;
    }
    return whole;
}

TEST(chunked, gives_what_the_chunks_hold) {
    EXPECT_EQ(decode("5\r\nhello\r\n1\r\n \r\n005\r\nworld\r\n0\r\n\r\nGET"), "hello world left=3");
    EXPECT_EQ(decode("0\r\n\r\n"), " left=0");
    EXPECT_EQ(decode("a\r\n0123456789\r\nA;x=\"y\"\r\n0123456789\r\n000\r\n\r\n"),
              "01234567890123456789 left=0");
    EXPECT_EQ(decode("2 \r\n\r\n\r\n0\r\n\r\n"), "\r\n left=0");
    EXPECT_EQ(decode("5\r\nhel"), "hel more");
}

TEST(chunked, extensions_are_names_and_values) {
    for (const auto* good : {";a", ";a=b", "; a = b", " ; a=b;c", "\t;a=\"b c\"", ";a=\"\\\"\"",
                             ";a=\"[;=\";b", ";a;b=\"\"", " "}) {
        EXPECT_EQ(decode("5" + std::string{good} + "\r\nhello\r\n0\r\n\r\n"), "hello left=0")
            << good;
    }
    for (const auto* bad : {";", ";;", ";=b", ";a=", ";bad[=x", ";a=[", ";a b", ";a=b c", ";a=\"b",
                            ";a=\"b\\", ";a=\"b\"c", "; ", ";a=b;", " a", "=a", ";a,b"}) {
        const auto said = decode("5" + std::string{bad} + "\r\nhello\r\n0\r\n\r\n");
        EXPECT_TRUE(said.ends_with(" bad")) << bad << ": " << said;
    }
}

TEST(chunked, keeps_one_trailer) {
    EXPECT_EQ(decode("0\r\nA: b\r\nrepr-DIGEST:  sha-256=:x: \r\nC:\r\n\r\n."),
              " left=1sha-256=:x:");
}

TEST(chunked, refuses_what_is_none) {
    for (const auto* bad : {"\r\n",
                            "x\r\n",
                            "-1\r\n",
                            "+1\r\n",
                            "0x5\r\n",
                            " 5\r\n",
                            "5\nhello",
                            "5\r\nhello0\r\n",
                            "5\r\nhello\n0\r\n\r\n",
                            "5\r\nhello\r\n\r\n",
                            "8000000000000000\r\n",
                            "00000000000000001\r\n",
                            "5,5\r\n",
                            "0\r\nno colon\r\n\r\n",
                            "0\r\na : b\r\n\r\n",
                            "0\r\na(b): c\r\n\r\n",
                            "0\r\n\xfa: b\r\n\r\n",
                            "0\r\n: b\r\n\r\n",
                            "0\r\n folded\r\n\r\n",
                            "0\r\na: b\n\r\n",
                            "5;a\x01\r\n",
                            "5\rx",
                            "0\r\n\rx"}) {
        const auto said = decode(bad);
        EXPECT_TRUE(said.ends_with(" bad")) << bad << ": " << said;
    }
}

TEST(chunked, what_frames_it_is_bounded) {
    EXPECT_EQ(decode("5;" + std::string(1000, 'x') + "\r\nhello\r\n0\r\n\r\n"), "hello left=0");
    EXPECT_EQ(decode("5;" + std::string(1100, 'x') + "\r\nhello\r\n0\r\n\r\n"), " bad");
    EXPECT_EQ(decode("0\r\nA: " + std::string(9000, 'x') + "\r\n\r\n"), " bad");
    std::string many = "0\r\n";
    for (int i = 0; i < 2000; ++i) many += "A: b\r\n";
    EXPECT_EQ(decode(many), " bad");
}

}  // namespace
}  // namespace sluice::test
