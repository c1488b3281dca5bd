// Implements http_response_reader: Boost.Beast parses the head, chunk_decoder the body.
#include "sluice/http/response.hpp"

#include <algorithm>
#include <limits>
#include <ranges>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "sluice/http/chunked.hpp"
#include "sluice/http/text.hpp"

namespace sluice::http {
namespace {

namespace beast_http = boost::beast::http;
using boost::beast::error_code;

std::string_view view_of(boost::beast::string_view text) noexcept {
    return {text.data(), text.size()};
}

std::unexpected<std::string> not_http(const std::string& why) {
    return std::unexpected{"it is no HTTP/1.1 (" + why + ")"};
}

}  // namespace

std::optional<std::string_view> http_response::field(std::string_view name) const noexcept {
    for (const auto& [known, value] : std::views::reverse(fields)) {
        if (same_word(known, name)) return value;
    }
    return std::nullopt;
}

/// Stops after the head: Beast 1.81 aborts, as on a misuse by its caller, when the end of an empty
/// chunked body arrives in two pieces.
class http_response_reader::parser final : public beast_http::basic_parser<false> {
 public:
    explicit parser(bool no_body) {
        header_limit(head_limit);
        body_limit(std::numeric_limits<std::uint64_t>::max());
        skip(no_body);
    }

    http_response head;
    chunk_decoder chunks;
    std::uint64_t remaining = 0;  // bytes of a body of known length
    bool complete = false;        // the body has been read to its end

 private:
    void on_request_impl(beast_http::verb /*verb*/, boost::beast::string_view /*word*/,
                         boost::beast::string_view /*target*/, int /*version*/,
                         error_code& /*code*/) override {}
    void on_response_impl(int status, boost::beast::string_view reason, int version,
                          error_code& /*code*/) override {
        head.status = static_cast<unsigned>(status);
        head.reason = view_of(reason);
        is_old_ = version < 11;
    }
    void on_field_impl(beast_http::field known, boost::beast::string_view name,
                       boost::beast::string_view value, error_code& code) override {
        // No other coding was asked for: its bytes are not those of the file. HTTP/1.0 has none
        // (RFC 9112, section 6.1). Beast would read such a body by its length, or to the stream's
        // end.
        if (known == beast_http::field::transfer_encoding &&
            (is_old_ || !same_word(view_of(value), "chunked"))) {
            code = beast_http::error::bad_transfer_encoding;
        }
        head.fields.emplace_back(view_of(name), view_of(value));
    }
    void on_header_impl(error_code& /*code*/) override {
        if (const auto length = content_length()) head.length = *length;
        head.chunked = chunked();
        head.keep_alive = keep_alive();
        remaining = head.length.value_or(0);
    }
    void on_body_init_impl(const boost::optional<std::uint64_t>& /*length*/,
                           error_code& /*code*/) override {}
    std::size_t on_body_impl(boost::beast::string_view /*bytes*/, error_code& /*code*/) override {
        return 0;
    }
    void on_chunk_header_impl(std::uint64_t /*size*/, boost::beast::string_view /*extensions*/,
                              error_code& /*code*/) override {}
    std::size_t on_chunk_body_impl(std::uint64_t /*remain*/, boost::beast::string_view /*bytes*/,
                                   error_code& /*code*/) override {
        return 0;
    }
    void on_finish_impl(error_code& /*code*/) override { complete = true; }

    bool is_old_ = false;  // HTTP/1.0
};

http_response_reader::http_response_reader(bool no_body)
    : parser_{std::make_unique<parser>(no_body)} {}
http_response_reader::http_response_reader(http_response_reader&&) noexcept = default;
http_response_reader& http_response_reader::operator=(http_response_reader&&) noexcept = default;
http_response_reader::~http_response_reader() = default;

http_response_reader::outcome http_response_reader::feed(std::string_view bytes) {
    pending_ += bytes;
    std::size_t used = 0;
    error_code code;
    while (used < pending_.size() && !parser_->is_header_done() && !code) {
        used += parser_->put(
            boost::asio::const_buffer{pending_.data() + used, pending_.size() - used}, code);
    }
    pending_.erase(0, used);
    if (code && code != beast_http::error::need_more) return not_http(code.message());
    return {};
}

bool http_response_reader::has_head() const noexcept {
    return parser_->is_header_done();
}

const http_response& http_response_reader::head() const noexcept {
    return parser_->head;
}

std::string http_response_reader::take_rest() {
    return std::exchange(pending_, {});
}

http_response_reader::outcome http_response_reader::feed_body(std::string_view bytes,
                                                              std::string& body) {
    pending_ += bytes;
    if (parser_->complete) return {};
    if (parser_->head.chunked) return feed_chunks(body);
    const bool known = parser_->head.length.has_value();
    const auto length =
        known
            ? static_cast<std::size_t>(std::min<std::uint64_t>(pending_.size(), parser_->remaining))
            : pending_.size();
    body.append(pending_, 0, length);
    pending_.erase(0, length);
    parser_->remaining -= known ? length : 0;
    parser_->complete = known && parser_->remaining == 0;
    return {};
}

http_response_reader::outcome http_response_reader::feed_chunks(std::string& body) {
    std::string_view rest = pending_;
    outcome so_far;
    while (!rest.empty() && !parser_->complete && so_far) {
        const auto step = parser_->chunks.next(rest);
        body += step.data;
        rest.remove_prefix(step.taken);
        if (step.what == chunk_decoder::found::mistake) so_far = not_http("bad chunk");
        parser_->complete = step.what == chunk_decoder::found::end;
    }
    pending_.erase(0, pending_.size() - rest.size());
    if (parser_->complete && !parser_->chunks.repr_digest().empty()) {
        parser_->head.fields.emplace_back("Repr-Digest", parser_->chunks.repr_digest());
    }
    return so_far;
}

http_response_reader::outcome http_response_reader::finish() {
    if (!has_head()) return not_http("the head is incomplete");
    const bool delimited = parser_->head.chunked || parser_->head.length;
    if (!parser_->complete && delimited) return not_http("the body is incomplete");
    parser_->complete = true;
    return {};
}

bool http_response_reader::done() const noexcept {
    return parser_->complete;
}

}  // namespace sluice::http
