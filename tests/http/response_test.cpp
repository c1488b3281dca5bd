// Answers over HTTP: whole, in pieces of every size, cut off, and no answers at all.
#include "sluice/http/response.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace sluice::http {
namespace {

constexpr std::string_view with_length =
    "HTTP/1.1 201 Created\r\nContent-Length: 5\r\nETag: \"a\"\r\nRepr-Digest: x\r\n\r\nhello";
constexpr std::string_view chunked =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Repr-Digest\r\n\r\n"
    "3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nRepr-Digest: y\r\n\r\n";

struct parsed {
    http_response head;
    std::string body;
    bool done = false;
    bool good = true;
};

/// Reads `text` in pieces of `step` bytes, and then its end.
parsed read(std::string_view text, std::size_t step, bool no_body = false) {
    http_response_reader reader{no_body};
    parsed o;
    bool in_body = false;
    for (; !text.empty() && o.good; text.remove_prefix(std::min(step, text.size()))) {
        const auto piece = text.substr(0, step);
        if (in_body) {
            o.good = reader.feed_body(piece, o.body).has_value();
        } else {
            o.good = reader.feed(piece).has_value();
            in_body = reader.has_head();
            if (in_body && o.good) o.good = reader.feed_body("", o.body).has_value();
        }
    }
    o.head = reader.head();
    o.done = reader.done();
    if (o.good && !o.done) o.good = reader.finish().has_value();
    return o;
}

TEST(http_response, gives_status_fields_and_body_whatever_the_pieces) {
    for (std::size_t step = 1; step <= with_length.size(); ++step) {
        const auto o = read(with_length, step);
        EXPECT_TRUE(o.good && o.done) << step;
        EXPECT_EQ(o.head.status, 201U);
        EXPECT_EQ(o.head.reason, "Created");
        EXPECT_EQ(o.head.length, 5U);
        EXPECT_EQ(o.head.field("etag"), "\"a\"");
        EXPECT_FALSE(o.head.field("date"));
        EXPECT_TRUE(o.head.keep_alive);
        EXPECT_EQ(o.body, "hello") << step;
    }
}

TEST(http_response, joins_chunks_and_reads_the_trailer_whatever_the_pieces) {
    for (std::size_t step = 1; step <= chunked.size(); ++step) {
        const auto o = read(chunked, step);
        EXPECT_TRUE(o.good && o.done) << step;
        EXPECT_TRUE(o.head.chunked);
        EXPECT_FALSE(o.head.length);
        EXPECT_EQ(o.body, "abc0123456789") << step;
        EXPECT_EQ(o.head.field("Repr-Digest"), "y") << step;
    }
}

TEST(http_response, reads_an_empty_chunked_body_whatever_the_pieces) {
    constexpr std::string_view text =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    for (std::size_t step = 1; step <= text.size(); ++step) {
        const auto o = read(text, step);
        EXPECT_TRUE(o.good && o.done) << step;
        EXPECT_EQ(o.body, "") << step;
    }
}

TEST(http_response, stands_still_behind_the_head) {
    http_response_reader reader;
    ASSERT_TRUE(reader.feed(std::string{with_length} + "more"));
    EXPECT_TRUE(reader.has_head());
    EXPECT_FALSE(reader.done());
    EXPECT_EQ(reader.take_rest(), "hellomore");
}

TEST(http_response, leaves_what_follows_the_answer) {
    http_response_reader reader;
    ASSERT_TRUE(reader.feed("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"));
    EXPECT_EQ(reader.head().status, 100U);
    EXPECT_EQ(reader.take_rest(), "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST(http_response, has_no_body_where_none_may_be) {
    EXPECT_TRUE(read("HTTP/1.1 204 No Content\r\nETag: \"a\"\r\n\r\n", 9).done);
    EXPECT_TRUE(read("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 9).done);
    const auto head = read("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 9, true);
    EXPECT_TRUE(head.done);
    EXPECT_EQ(head.head.length, 9U);
}

TEST(http_response, ends_with_the_stream_only_where_nothing_else_ends_it) {
    const auto o = read("HTTP/1.0 200 OK\r\n\r\nall of it", 4);
    EXPECT_TRUE(o.good);
    EXPECT_EQ(o.body, "all of it");
    EXPECT_FALSE(o.head.keep_alive);
    for (std::size_t cut = 1; cut < with_length.size(); ++cut) {
        EXPECT_FALSE(read(with_length.substr(0, cut), 7).good) << cut;
    }
    for (std::size_t cut = 1; cut < chunked.size(); ++cut) {
        EXPECT_FALSE(read(chunked.substr(0, cut), 7).good) << cut;
    }
}

TEST(http_response, has_no_coding_but_chunked) {
    const auto with = [](std::string_view version, std::string_view fields) {
        constexpr std::string_view chunk = "5\r\nhello\r\n0\r\n\r\n";
        return read(std::string{version} + " 200 OK\r\n" + std::string{fields} + "\r\n" +
                        std::string{chunk},
                    7)
            .good;
    };
    EXPECT_TRUE(with("HTTP/1.1", "Transfer-Encoding: chunked\r\n"));
    EXPECT_TRUE(with("HTTP/1.1", "transfer-encoding:  CHUNKED \r\n"));
    EXPECT_FALSE(with("HTTP/1.0", "Transfer-Encoding: chunked\r\n"));
    for (const std::string_view coding :
         {"gzip", "", "identity", "gzip, chunked", "chunked, gzip", "chunked,", ", chunked"}) {
        EXPECT_FALSE(with("HTTP/1.1", "Transfer-Encoding: " + std::string{coding} + "\r\n"))
            << coding;
    }
    EXPECT_FALSE(with("HTTP/1.1", "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"));
    EXPECT_FALSE(with("HTTP/1.1", "Transfer-Encoding: gzip\r\nContent-Length: 5\r\n"));
    EXPECT_FALSE(with("HTTP/1.1", "Content-Length: 5\r\nTransfer-Encoding: gzip\r\n"));
}

TEST(http_response, refuses_what_is_none) {
    for (const std::string_view text :
         {"220 ftp.example ready\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "\x7f\x45LF\x02\x01"}) {
        EXPECT_FALSE(read(text, 5).good) << text;
    }
    EXPECT_FALSE(
        read("HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n", 4096).good);
}

}  // namespace
}  // namespace sluice::http
