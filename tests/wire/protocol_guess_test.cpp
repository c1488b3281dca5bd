// Peers that speak HTTP or TLS are recognised, however their bytes arrive, and nobody else is.
#include "sluice/wire/protocol_guess.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/wire/framing.hpp"

namespace sluice::wire {
namespace {

using namespace std::string_view_literals;

/// The same at once, byte by byte, and in two pieces wherever they are cut.
other_protocol guess(std::string_view bytes) {
    protocol_guess at_once;
    at_once.feed(bytes);
    protocol_guess by_byte;
    for (std::size_t i = 0; i < bytes.size(); ++i) by_byte.feed(bytes.substr(i, 1));
    EXPECT_EQ(by_byte.found(), at_once.found()) << bytes;
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        protocol_guess in_two;
        in_two.feed(bytes.substr(0, cut));
        in_two.feed(bytes.substr(cut));
        EXPECT_EQ(in_two.found(), at_once.found()) << bytes << ", cut at " << cut;
    }
    return at_once.found();
}

TEST(protocol_guess, knows_requests) {
    for (const auto request :
         {"GET / HTTP/1.1\r\n"sv, "POST /a%20b?c=d HTTP/1.1\r\nHost: x\r\n\r\nhello\n"sv,
          "PUT http://example.org/ HTTP/1.0\r\n"sv, "HEAD / HTTP/1.1\n"sv,
          "DELETE /x HTTP/1.1\r\n"sv, "OPTIONS * HTTP/1.1\r\n"sv, "PATCH /x HTTP/1.1\r\n"sv,
          "TRACE / HTTP/1.1\r\n"sv, "CONNECT example.org:443 HTTP/1.1\r\n"sv,
          "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"sv, "GET /\xc3\xa9 HTTP/1.1\r\n"sv}) {
        EXPECT_EQ(guess(request), other_protocol::http) << request;
    }
}

TEST(protocol_guess, knows_a_request_before_the_end_of_a_long_target) {
    EXPECT_EQ(guess("POST /" + std::string(1023, 'x')), other_protocol::http);
    EXPECT_EQ(guess("POST /" + std::string(1022, 'x')), other_protocol::none);
}

TEST(protocol_guess, knows_handshakes) {
    for (const auto hello : {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"sv, "\x16\x03\x00"sv,
                             "\x16\x03\x03"sv, "\x16\x03\x04"sv}) {
        EXPECT_EQ(guess(hello), other_protocol::tls);
    }
}

TEST(protocol_guess, takes_messages_for_nothing_else) {
    for (const auto message : {""sv,
                               "\n"sv,
                               "hello\n"sv,
                               "GET"sv,
                               "GET \n"sv,
                               "GET  HTTP/1.1\n"sv,
                               "GET lost\n"sv,
                               "GET it? PUT it there\r\n"sv,
                               "GET /etc/passwd is a file\n"sv,
                               "get / HTTP/1.1\r\n"sv,
                               "GET / HTTP/1.1 is what it sends\n"sv,
                               "GET / HTTP/11\r\n"sv,
                               "GET / HTTP/1.1\r\r\n"sv,
                               " GET / HTTP/1.1\r\n"sv,
                               "GETS / HTTP/1.1\r\n"sv,
                               "PO / HTTP/1.1\r\n"sv,
                               "PUSH / HTTP/1.1\r\n"sv,
                               "GET /a\tb HTTP/1.1\r\n"sv,
                               "hello\nGET / HTTP/1.1\r\n"sv,
                               "HTTP/1.1 200 OK\r\n"sv,
                               "\x16"sv,
                               "\x16\x03"sv,
                               "\x16\x03\x05"sv,
                               "\x16\x02\x01"sv,
                               "\x17\x03\x03"sv,
                               "x\x16\x03\x01"sv,
                               "\x16\x03\xff"sv,
                               "5\n"sv,
                               "/join GET\n"sv}) {
        EXPECT_EQ(guess(message), other_protocol::none) << message;
    }
}

TEST(frame_reader_for_servers, gives_no_message_of_a_stranger) {
    for (const auto mode : {framing::automatic, framing::line, framing::raw}) {
        for (const bool is_http : {true, false}) {
            const auto bytes =
                is_http ? "POST /\xff HTTP/1.1\r\nHost: x\r\n\r\nhello\n"sv : "\x16\x03\x01\n\n"sv;
            frame_reader reader{mode, 4, sender::person, overlong::dropped};
            reader.refuse_other_protocols();
            reader.feed(bytes);
            const auto wanted = failure(is_http ? fault::http_spoken : fault::tls_spoken);
            for (int i = 0; i < 3; ++i) {
                const auto found = reader.next();
                ASSERT_FALSE(found);
                EXPECT_EQ(found.error(), wanted.error());
            }
            reader.feed("exit\n");
            EXPECT_FALSE(reader.next());
        }
    }
}

TEST(frame_reader_for_servers, gives_a_stranger_no_second_chance_after_a_long_line) {
    frame_reader reader{framing::line, 8, sender::person, overlong::dropped};
    reader.refuse_other_protocols();
    reader.feed("POST /a/target/of/more/than/eight");
    EXPECT_EQ(reader.next().error(), fault::message_too_long);
    EXPECT_TRUE(reader.next());
    reader.feed(" HTTP/1.1\r\nHost: x\r\n");
    EXPECT_EQ(reader.next().error(), fault::http_spoken);
}

TEST(frame_reader_for_servers, gives_all_else) {
    frame_reader reader{framing::line, 100, sender::person};
    reader.refuse_other_protocols();
    reader.feed("GET lost\nGET / HTTP/1.1\n");
    EXPECT_EQ(reader.next().value()->text, "GET lost");
    EXPECT_EQ(reader.next().value()->text, "GET / HTTP/1.1");
}

}  // namespace
}  // namespace sluice::wire
