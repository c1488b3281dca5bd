// Boost.Beast's parser behind the structs: nothing else includes its headers for requests.
#include "sluice/wire/http_request.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/none.hpp>

#include "sluice/base/check.hpp"
#include "sluice/wire/http_text.hpp"

namespace sluice::wire {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

constexpr std::string_view own(beast::string_view text) noexcept {
    return {text.data(), text.size()};
}

http_method method_of(http::verb which) noexcept {
    switch (which) {
        case http::verb::get: return http_method::get;
        case http::verb::head: return http_method::head;
        case http::verb::put: return http_method::put;
        case http::verb::delete_: return http_method::remove;
        case http::verb::options: return http_method::options;
        case http::verb::unknown: return http_method::unknown;
        default: return http_method::other;
    }
}

std::optional<http_field> field_of(http::field which) noexcept {
    switch (which) {
        case http::field::accept: return http_field::accept;
        case http::field::connection: return http_field::connection;
        case http::field::content_length: return http_field::content_length;
        case http::field::content_range: return http_field::content_range;
        case http::field::expect: return http_field::expect;
        case http::field::host: return http_field::host;
        case http::field::if_match: return http_field::if_match;
        case http::field::if_modified_since: return http_field::if_modified_since;
        case http::field::if_none_match: return http_field::if_none_match;
        case http::field::if_range: return http_field::if_range;
        case http::field::if_unmodified_since: return http_field::if_unmodified_since;
        case http::field::range: return http_field::range;
        case http::field::transfer_encoding: return http_field::transfer_encoding;
        default: return std::nullopt;
    }
}

/// Those that Beast has no number for.
std::optional<http_field> field_named(std::string_view name) noexcept {
    if (same_word(name, "repr-digest")) return http_field::repr_digest;
    if (same_word(name, "want-repr-digest")) return http_field::want_repr_digest;
    return std::nullopt;
}

/// Said twice, these would mean two things; of the others, lists go on.
bool may_be_said_once(http_field which) noexcept {
    switch (which) {
        case http_field::accept:
        case http_field::connection:
        case http_field::if_match:
        case http_field::if_none_match:
        case http_field::repr_digest:
        case http_field::want_repr_digest: return false;
        default: return true;
    }
}

/// Keeps views of what the parser finds, where the parser of Beast would copy it.
class collector final : public http::basic_parser<true> {
 public:
    explicit collector(http_request& into) : into_{into} {
        body_limit(boost::none);
        header_limit(std::numeric_limits<std::uint32_t>::max());
    }
    [[nodiscard]] const http_refusal& refusal() const noexcept { return refusal_; }
    void refuse(unsigned status, std::string_view why) noexcept {
        if (refusal_.status == 0) refusal_ = {.status = status, .why = why};
    }

 private:
    using text = beast::string_view;

    void on_request_impl(http::verb verb, text /*method*/, text target, int version,
                         beast::error_code& /*ec*/) override {
        into_.method = method_of(verb);
        into_.target = own(target);
        into_.is_old = version < 11;
    }
    void on_response_impl(int /*code*/, text /*reason*/, int /*version*/,
                          beast::error_code& /*ec*/) override {}
    void on_field_impl(http::field which, text name, text value,
                       beast::error_code& /*ec*/) override {
        const auto found = which == http::field::unknown ? field_named(own(name)) : field_of(which);
        if (!found) return;
        if (may_be_said_once(*found) && into_.has(*found)) {
            refuse(400, "a field that may be said once is said twice");
        }
        into_.fields.emplace_back(*found, own(value));
    }
    void on_header_impl(beast::error_code& /*ec*/) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>& /*length*/,
                           beast::error_code& /*ec*/) override {}
    std::size_t on_body_impl(text body, beast::error_code& /*ec*/) override { return body.size(); }
    void on_chunk_header_impl(std::uint64_t /*size*/, text /*extensions*/,
                              beast::error_code& /*ec*/) override {}
    std::size_t on_chunk_body_impl(std::uint64_t /*left*/, text body,
                                   beast::error_code& /*ec*/) override {
        return body.size();
    }
    void on_finish_impl(beast::error_code& /*ec*/) override {}

    http_request& into_;
    http_refusal refusal_;
};

/// Whether the first line ends in a version as HTTP writes them, though not in one of ours.
bool has_other_version(std::string_view head) noexcept {
    constexpr std::size_t length = 8;  // HTTP/1.1
    const auto line = head.substr(0, head.find('\r'));
    if (line.size() < length) return false;
    const auto version = line.substr(line.size() - length);
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    if (version == "HTTP/1.1" || version == "HTTP/1.0") return false;
    return version.starts_with("HTTP/") && digit(version[5]) && version[6] == '.' &&
           digit(version[7]);
}

http_refusal of_parser(const beast::error_code& ec, std::string_view head) noexcept {
    if (ec == http::error::bad_version && has_other_version(head)) {
        return {.status = 505, .why = "this server speaks HTTP/1.1 and HTTP/1.0"};
    }
    if (ec == http::error::bad_method) return {400, "the request does not begin with a method"};
    if (ec == http::error::bad_target) return {400, "the request's target is no path or URL"};
    if (ec == http::error::bad_version) return {400, "the first line does not end in HTTP/1.1"};
    if (ec == http::error::bad_field) {
        return {400, "a field's name is followed by a colon, with nothing between them"};
    }
    if (ec == http::error::bad_value) return {400, "a field's value has a character it may not"};
    if (ec == http::error::bad_content_length || ec == http::error::multiple_content_length) {
        return {400, "Content-Length is one number, and none beside Transfer-Encoding"};
    }
    if (ec == http::error::bad_transfer_encoding) {
        return {400, "Transfer-Encoding is chunked, without a Content-Length"};
    }
    return {400, "the head is not HTTP"};
}

bool lists_word(const http_request& request, http_field which, std::string_view word) noexcept {
    return std::ranges::any_of(request.fields, [which, word](const auto& each) {
        if (each.first != which) return false;
        std::string_view list = each.second;
        while (const auto element = next_element(list)) {
            if (same_word(*element, word)) return true;
        }
        return false;
    });
}

/// How the body comes (RFC 9112, section 6.3), more strictly than it must be read.
http_refusal settle_body(http_request& r) noexcept {
    if (r.has(http_field::transfer_encoding)) {
        if (r.has(http_field::content_length)) {
            return {400, "a length and chunks at once: which of them counts is not known"};
        }
        if (r.is_old) return {400, "HTTP/1.0 has no Transfer-Encoding"};
        if (!same_word(r.field(http_field::transfer_encoding), "chunked")) {
            return {501, "of transfer codings, only chunked is known here"};
        }
        r.chunked = true;
    }
    if (r.has(http_field::content_length)) {
        r.length = parse_digits(r.field(http_field::content_length));
        if (!r.length) return {400, "Content-Length is one number"};
    }
    return {};
}

http_refusal settle(http_request& r) noexcept {
    if (!r.is_old && !r.has(http_field::host)) return {400, "HTTP/1.1 has a Host field"};
    if (const auto bad = settle_body(r); bad.status != 0) return bad;
    if (r.has(http_field::expect) && !r.is_old) {
        if (!same_word(r.field(http_field::expect), "100-continue")) {
            return {417, "only 100-continue can be expected here"};
        }
        r.expects_go_ahead = true;
    }
    const bool close = lists_word(r, http_field::connection, "close");
    r.keeps_alive = !close && (!r.is_old || lists_word(r, http_field::connection, "keep-alive"));
    return {};
}

}  // namespace

std::string_view http_request::field(http_field which) const noexcept {
    for (const auto& [name, value] : fields) {
        if (name == which) return value;
    }
    return {};
}

bool http_request::has(http_field which) const noexcept {
    return std::ranges::any_of(fields, [which](const auto& each) { return each.first == which; });
}

std::optional<http_target> split_target(std::string_view target) noexcept {
    if (target == "*") return http_target{.path = target, .query = {}};
    constexpr std::string_view schemes[] = {"http://", "https://"};
    for (const auto scheme : schemes) {
        if (target.size() < scheme.size() || !same_word(target.substr(0, scheme.size()), scheme)) {
            continue;
        }
        target.remove_prefix(scheme.size());
        const auto end = target.find_first_of("/?");
        if (end == 0) return std::nullopt;
        target = end == std::string_view::npos ? std::string_view{} : target.substr(end);
        if (target.empty()) return http_target{.path = "/", .query = {}};
        if (target.front() == '?') return http_target{.path = "/", .query = target.substr(1)};
        break;
    }
    if (target.empty() || target.front() != '/') return std::nullopt;
    // Nobody sends a fragment; a target with one is none.
    if (target.find('#') != std::string_view::npos) return std::nullopt;
    const auto mark = target.find('?');
    if (mark == std::string_view::npos) return http_target{.path = target, .query = {}};
    return http_target{.path = target.substr(0, mark), .query = target.substr(mark + 1)};
}

bool query_has(std::string_view query, std::string_view name,
               std::optional<std::string_view> value) noexcept {
    while (!query.empty()) {
        const auto end = std::min(query.find('&'), query.size());
        const auto each = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        const auto equals = std::min(each.find('='), each.size());
        if (each.substr(0, equals) != name) continue;
        if (!value) return true;
        if (equals < each.size() && each.substr(equals + 1) == *value) return true;
    }
    return false;
}

std::expected<std::optional<std::size_t>, http_refusal> http_head_scanner::scan(
    std::string_view so_far) noexcept {
    const auto refuse = [](unsigned status, std::string_view why) {
        return std::unexpected{http_refusal{.status = status, .why = why}};
    };
    constexpr std::string_view long_line = "the request's first line is too long";
    constexpr std::string_view long_head = "the request's head is too long";
    while (seen_ < so_far.size()) {
        const auto end = so_far.find('\n', seen_);
        if (end == std::string_view::npos) break;
        seen_ = end + 1;
        // The carriage return is not counted.
        if (first_line_ && end - line_start_ > limits_.line + 1) return refuse(414, long_line);
        if (seen_ > limits_.head) return refuse(431, long_head);
        const auto line = so_far.substr(line_start_, end - line_start_);
        if (line.empty() || line.back() != '\r') {
            return refuse(400, "a line of the head ends without a carriage return");
        }
        line_start_ = seen_;
        if (line.size() == 1) {
            if (!first_line_) return seen_;
            continue;
        }
        begun_ = true;
        if (!first_line_ && (line.front() == ' ' || line.front() == '\t')) {
            return refuse(400, "a line of the head begins with a blank");
        }
        if (line.find('\0') != std::string_view::npos) return refuse(400, "the head has a NUL");
        first_line_ = false;
    }
    seen_ = so_far.size();
    const auto open = so_far.size() - line_start_;
    begun_ = begun_ || open > 1 || (open == 1 && so_far.back() != '\r');
    if (first_line_ && open > limits_.line + 1) return refuse(414, long_line);
    if (so_far.size() >= limits_.head) return refuse(431, long_head);
    return std::nullopt;
}

std::expected<void, http_refusal> parse_request(std::string_view head, http_request& into) {
    into.fields.clear();
    into.chunked = into.expects_go_ahead = into.keeps_alive = into.is_old = false;
    into.length.reset();
    while (head.starts_with("\r\n")) head.remove_prefix(2);
    collector parser{into};
    beast::error_code ec;
    parser.put(boost::asio::const_buffer{head.data(), head.size()}, ec);
    if (parser.refusal().status != 0) return std::unexpected{parser.refusal()};
    if (ec) return std::unexpected{of_parser(ec, head)};
    if (!parser.is_header_done()) return std::unexpected{http_refusal{400, "the head is not HTTP"}};
    if (const auto bad = settle(into); bad.status != 0) return std::unexpected{bad};
    return {};
}

}  // namespace sluice::wire
