// Boost.Beast's parser, kept out of everybody else's sight.
#include "sluice/wire/http_response.hpp"

#include <algorithm>
#include <limits>
#include <ranges>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "sluice/wire/http_text.hpp"

namespace sluice::wire {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;

std::string_view view_of(boost::beast::string_view text) noexcept {
    return {text.data(), text.size()};
}

}  // namespace

std::optional<std::string_view> http_response::field(std::string_view name) const noexcept {
    for (const auto& [known, value] : std::views::reverse(fields)) {
        if (same_word(known, name)) return value;
    }
    return std::nullopt;
}

class http_response_reader::parser final : public http::basic_parser<false> {
 public:
    explicit parser(bool no_body) {
        header_limit(head_limit);
        body_limit(std::numeric_limits<std::uint64_t>::max());
        skip(no_body);
    }

    http_response head;
    std::string* body = nullptr;

 private:
    void on_request_impl(http::verb /*verb*/, boost::beast::string_view /*word*/,
                         boost::beast::string_view /*target*/, int /*version*/,
                         error_code& /*code*/) override {}
    void on_response_impl(int status, boost::beast::string_view reason, int /*version*/,
                          error_code& /*code*/) override {
        head.status = static_cast<unsigned>(status);
        head.reason = view_of(reason);
    }
    void on_field_impl(http::field /*known*/, boost::beast::string_view name,
                       boost::beast::string_view value, error_code& /*code*/) override {
        head.fields.emplace_back(view_of(name), view_of(value));
    }
    void on_header_impl(error_code& /*code*/) override {
        if (const auto length = content_length()) head.length = *length;
        head.chunked = chunked();
        head.keep_alive = keep_alive();
    }
    void on_body_init_impl(const boost::optional<std::uint64_t>& /*length*/,
                           error_code& /*code*/) override {}
    std::size_t on_body_impl(boost::beast::string_view bytes, error_code& /*code*/) override {
        body->append(bytes.data(), bytes.size());
        return bytes.size();
    }
    void on_chunk_header_impl(std::uint64_t /*size*/, boost::beast::string_view /*extensions*/,
                              error_code& /*code*/) override {}
    std::size_t on_chunk_body_impl(std::uint64_t /*remain*/, boost::beast::string_view bytes,
                                   error_code& /*code*/) override {
        body->append(bytes.data(), bytes.size());
        return bytes.size();
    }
    void on_finish_impl(error_code& /*code*/) override {}
};

namespace {

http_response_reader::outcome refused(const error_code& code) {
    return std::unexpected{"it is no HTTP/1.1 (" + code.message() + ")"};
}

/// Hands over what is `pending` until nothing more of it can be read, or until `enough`.
template <class Parser, class Enough>
http_response_reader::outcome read(Parser& parser, std::string& pending, Enough enough) {
    std::size_t used = 0;
    error_code code;
    while (used < pending.size() && !enough()) {
        const auto n = parser.put(
            boost::asio::const_buffer{pending.data() + used, pending.size() - used}, code);
        used += n;
        if (code) break;
    }
    pending.erase(0, used);
    if (code && code != http::error::need_more) return refused(code);
    return {};
}

}  // namespace

http_response_reader::http_response_reader(bool no_body)
    : parser_{std::make_unique<parser>(no_body)} {}
http_response_reader::http_response_reader(http_response_reader&&) noexcept = default;
http_response_reader& http_response_reader::operator=(http_response_reader&&) noexcept = default;
http_response_reader::~http_response_reader() = default;

http_response_reader::outcome http_response_reader::feed(std::string_view bytes) {
    pending_ += bytes;
    return read(*parser_, pending_, [this] { return parser_->is_header_done(); });
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
    parser_->body = &body;
    return read(*parser_, pending_, [this] { return parser_->is_done(); });
}

http_response_reader::outcome http_response_reader::finish() {
    std::string nothing;
    parser_->body = &nothing;
    error_code code;
    if (!parser_->is_done()) parser_->put_eof(code);
    if (code) return refused(code);
    return {};
}

bool http_response_reader::done() const noexcept {
    return parser_->is_done();
}

}  // namespace sluice::wire
