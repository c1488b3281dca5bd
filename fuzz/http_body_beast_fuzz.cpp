// Answers and chunked bodies as read here and by the parser of Boost.Beast: the same body, and
// where only one of them takes it, for a reason that is listed.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <string>
#include <string_view>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "fuzz/input.hpp"
#include "sluice/base/check.hpp"
#include "sluice/http/response.hpp"
#include "sluice/http/text.hpp"

namespace sluice::fuzz::http_body_beast_target {
namespace {

using namespace sluice::http;
using sluice::check;
namespace beast_http = boost::beast::http;

/// Beast's parser, all bytes at once: of an empty chunked body in two pieces it aborts.
struct read_by_beast {
    beast_http::response_parser<beast_http::string_body> parser;
    bool good = false;  ///< the answer has come to its end, or the stream's end is its end
    boost::beast::error_code why;  ///< it is not good
    bool extras = false;           ///< a chunk has an extension, or trailers follow the last one

    explicit read_by_beast(std::string_view bytes) {
        parser.header_limit(http_response_reader::head_limit);
        parser.body_limit(std::numeric_limits<std::uint64_t>::max());
        auto on_chunk = [this](std::uint64_t /*size*/, boost::beast::string_view text,
                               boost::beast::error_code& /*ec*/) {
            extras = extras || !text.empty();
        };
        parser.on_chunk_header(on_chunk);
        put(bytes);
        const auto of_head = number_of_fields();
        parser.eager(true);
        put(bytes);
        extras = extras || number_of_fields() > of_head;
        if (!why && !parser.is_done() && parser.got_some()) parser.put_eof(why);
        good = !why && parser.is_done();
    }

 private:
    void put(std::string_view& bytes) {
        if (why || bytes.empty() || parser.is_done()) return;
        bytes.remove_prefix(parser.put(boost::asio::buffer(bytes.data(), bytes.size()), why));
        if (why == beast_http::error::need_more) why = {};
    }
    [[nodiscard]] std::ptrdiff_t number_of_fields() const {
        return std::distance(parser.get().begin(), parser.get().end());
    }
};

struct read_here {
    http_response_reader reader;
    std::string body;
    bool good = false;

    explicit read_here(std::string_view bytes) {
        good = reader.feed(bytes).has_value() && reader.has_head() &&
               reader.feed_body("", body).has_value() &&
               (reader.done() || reader.finish().has_value());
    }
};

std::string_view view_of(boost::beast::string_view text) {
    return {text.data(), text.size()};
}

/// Whether this client may refuse what Beast takes.
bool is_stricter_on_purpose(std::string_view bytes, const read_by_beast& theirs) {
    const auto& message = theirs.parser.get();
    const auto codings = message.count(beast_http::field::transfer_encoding);
    // Of a coding that was not asked for, only the end of the stream could tell the end, and the
    // bytes would not be those of the file (RFC 9112, section 6.3); HTTP/1.0 has none (6.1).
    if (codings > 0 &&
        (!theirs.parser.chunked() || codings > 1 || message.version() < 11 ||
         !same_word(view_of(message[beast_http::field::transfer_encoding]), "chunked"))) {
        return true;
    }
    // Extensions and trailers have limits, and a grammar that Beast does not hold them to (RFC
    // 9112, sections 7.1.1 and 7.1.2); so has a size (7.1).
    constexpr std::size_t most_digits = 16;
    const auto digits = std::ranges::search_n(bytes, most_digits + 1, true, {},
                                              [](char c) { return is_hex_digit(c); });
    return theirs.parser.chunked() && (theirs.extras || !digits.empty());
}

/// Whether this client may take what Beast refuses: blanks after a size, which servers pad it with
/// (allowed before an extension: RFC 9112, section 7.1.1), and fields of the framing among the
/// trailers, which Beast takes for the head's, and which are ignored here (RFC 9110,
/// section 6.5.1).
bool is_laxer_on_purpose(std::string_view bytes, const read_by_beast& theirs) {
    using beast_http::error;
    if (theirs.parser.is_header_done() &&
        (theirs.why == error::bad_transfer_encoding || theirs.why == error::bad_content_length ||
         theirs.why == error::multiple_content_length)) {
        return true;
    }
    const auto body = bytes.substr(std::min(bytes.find("\r\n\r\n"), bytes.size()));
    return theirs.why == error::bad_chunk_extension &&
           body.find_first_of(" \t") != std::string_view::npos;
}

}  // namespace

/// The first byte says whether the head of a chunked answer stands before the rest.
void examine(std::string_view input) {
    std::string bytes;
    if ((take_byte(input) & 1U) != 0)
        bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    bytes += input;
    const read_by_beast theirs{bytes};
    const read_here ours{bytes};
    if (!ours.good) {
        check(!theirs.good || is_stricter_on_purpose(bytes, theirs),
              "refused for a reason that is not listed");
        return;
    }
    if (!theirs.good && is_laxer_on_purpose(bytes, theirs)) return;
    check(theirs.good, "Beast refuses what is taken here");
    const auto& message = theirs.parser.get();
    const auto& head = ours.reader.head();
    check(head.status == message.result_int(), "another status");
    // Beast has words of its own for a status that comes without.
    const auto reason = view_of(message.reason());
    check(
        head.reason == reason || (head.reason.empty() &&
                                  reason == view_of(beast_http::obsolete_reason(message.result()))),
        "another reason");
    check(head.keep_alive == theirs.parser.keep_alive(),
          "a connection that only one of them keeps");
    check(ours.body == message.body(), "another body");
}

}  // namespace sluice::fuzz::http_body_beast_target
