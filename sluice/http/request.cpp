// Parses request heads with Boost.Beast, whose headers stay out of request.hpp.
#include "sluice/http/request.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <ranges>
#include <string>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/none.hpp>

#include "sluice/base/parse_number.hpp"
#include "sluice/http/authority.hpp"
#include "sluice/http/text.hpp"

namespace sluice::http {
namespace {

namespace beast = boost::beast;
namespace beast_http = boost::beast::http;

constexpr std::string_view to_std(beast::string_view text) noexcept {
    return {text.data(), text.size()};
}

/// The value of the first parameter of that name, and of that value if one is given.
std::optional<std::string_view> parameter_of(std::string_view query, std::string_view name,
                                             std::optional<std::string_view> wanted) noexcept {
    for (const auto part : std::views::split(query, '&')) {
        const std::string_view each{part.begin(), part.end()};
        const auto equals = std::min(each.find('='), each.size());
        const auto value = each.substr(std::min(equals + 1, each.size()));
        if (each.substr(0, equals) == name && value == wanted.value_or(value)) return value;
    }
    return std::nullopt;
}

http_method method_of(beast_http::verb which) noexcept {
    switch (which) {
        case beast_http::verb::get: return http_method::get;
        case beast_http::verb::head: return http_method::head;
        case beast_http::verb::put: return http_method::put;
        case beast_http::verb::delete_: return http_method::remove;
        case beast_http::verb::options: return http_method::options;
        case beast_http::verb::unknown: return http_method::unknown;
        default: return http_method::other;
    }
}

std::optional<http_field> field_of(beast_http::field which) noexcept {
    switch (which) {
        case beast_http::field::authorization: return http_field::authorization;
        case beast_http::field::accept: return http_field::accept;
        case beast_http::field::connection: return http_field::connection;
        case beast_http::field::content_encoding: return http_field::content_encoding;
        case beast_http::field::content_length: return http_field::content_length;
        case beast_http::field::content_range: return http_field::content_range;
        case beast_http::field::content_type: return http_field::content_type;
        case beast_http::field::expect: return http_field::expect;
        case beast_http::field::host: return http_field::host;
        case beast_http::field::if_match: return http_field::if_match;
        case beast_http::field::if_modified_since: return http_field::if_modified_since;
        case beast_http::field::if_none_match: return http_field::if_none_match;
        case beast_http::field::if_range: return http_field::if_range;
        case beast_http::field::if_unmodified_since: return http_field::if_unmodified_since;
        case beast_http::field::origin: return http_field::origin;
        case beast_http::field::range: return http_field::range;
        case beast_http::field::sec_fetch_site: return http_field::sec_fetch_site;
        case beast_http::field::transfer_encoding: return http_field::transfer_encoding;
        default: return std::nullopt;
    }
}

/// Fields for which Beast has no enumerator.
std::optional<http_field> field_named(std::string_view name) noexcept {
    if (same_word(name, "content-digest")) return http_field::content_digest;
    if (same_word(name, "repr-digest")) return http_field::repr_digest;
    if (same_word(name, "want-repr-digest")) return http_field::want_repr_digest;
    if (same_word(name, "x-forwarded-for")) return http_field::x_forwarded_for;
    return std::nullopt;
}

/// Whether a repeated field is an error; the other fields are lists and may be repeated.
bool is_singleton(http_field which) noexcept {
    switch (which) {
        case http_field::accept:
        case http_field::connection:
        case http_field::content_digest:
        case http_field::content_encoding:
        case http_field::if_match:
        case http_field::if_none_match:
        case http_field::repr_digest:
        case http_field::want_repr_digest:
        case http_field::x_forwarded_for: return false;
        default: return true;
    }
}

/// Keeps views of the fields, where Beast's own parser copies them.
class collector final : public beast_http::basic_parser<true> {
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

    void on_request_impl(beast_http::verb verb, text /*method*/, text target, int version,
                         beast::error_code& /*ec*/) override {
        into_.method = method_of(verb);
        into_.target = to_std(target);
        into_.is_old = version < 11;
    }
    void on_response_impl(int /*code*/, text /*reason*/, int /*version*/,
                          beast::error_code& /*ec*/) override {}
    void on_field_impl(beast_http::field which, text name, text value,
                       beast::error_code& /*ec*/) override {
        const auto found =
            which == beast_http::field::unknown ? field_named(to_std(name)) : field_of(which);
        if (!found) return;
        if (is_singleton(*found) && into_.has(*found)) {
            refuse(400, "a field that may be said once is said twice");
        }
        into_.fields.emplace_back(*found, to_std(value));
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

/// Offset in `head` of the digits of the HTTP version (`1.1`) at the end of the first line; none if
/// there is no version.
std::optional<std::size_t> find_version(std::string_view head) noexcept {
    constexpr std::string_view form = " HTTP/1.1";
    const auto line = head.substr(0, head.find('\r'));
    if (line.size() < form.size()) return std::nullopt;
    const auto version = line.substr(line.size() - form.size());
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    if (!version.starts_with(" HTTP/") || !digit(version[6]) || version[7] != '.' ||
        !digit(version[8])) {
        return std::nullopt;
    }
    return line.size() - 3;
}

http_refusal refusal_of(const beast::error_code& ec, std::string_view head) noexcept {
    const auto version = find_version(head);
    const bool is_http_1 = version && head.substr(*version, 2) == "1.";
    if (ec == beast_http::error::bad_version && version && !is_http_1) {
        return {.status = 505, .why = "this server speaks HTTP/1.1 and HTTP/1.0"};
    }
    if (ec == beast_http::error::bad_method)
        return {400, "the request does not begin with a method"};
    if (ec == beast_http::error::bad_target) return {400, "the request's target is no path or URL"};
    if (ec == beast_http::error::bad_version)
        return {400, "the first line does not end in HTTP/1.1"};
    if (ec == beast_http::error::bad_field) {
        return {400, "a field's name is followed by a colon, with nothing between them"};
    }
    if (ec == beast_http::error::bad_value)
        return {400, "a field's value has a character it may not"};
    if (ec == beast_http::error::bad_content_length ||
        ec == beast_http::error::multiple_content_length) {
        return {400, "Content-Length is one number, and none beside Transfer-Encoding"};
    }
    if (ec == beast_http::error::bad_transfer_encoding) {
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

/// Checks the transfer codings (RFC 9112, section 6.1): only chunked is supported. Where it is not
/// the last, or is repeated, the end of the body is unknown.
http_refusal read_codings(http_request& r) noexcept {
    std::string_view list = r.field(http_field::transfer_encoding);
    std::size_t all = 0;
    std::size_t chunked = 0;
    bool last_is_chunked = false;
    while (const auto coding = next_element(list)) {
        if (coding->empty()) continue;
        last_is_chunked = same_word(*coding, "chunked");
        chunked += last_is_chunked ? 1 : 0;
        ++all;
    }
    r.chunked = same_word(r.field(http_field::transfer_encoding), "chunked");
    if (r.chunked) return {};
    // Empty elements hide chunked from other parsers.
    if (chunked == all || chunked > 1 || (chunked == 1 && !last_is_chunked)) {
        return {400, "of transfer codings, chunked is the last and is said once"};
    }
    return {501, "of transfer codings, only chunked is known here"};
}

/// Determines the framing of the body (RFC 9112, section 6.3), more strictly than required.
http_refusal read_body_framing(http_request& r) noexcept {
    if (r.has(http_field::transfer_encoding)) {
        if (r.has(http_field::content_length)) {
            return {400, "a length and chunks at once: which of them counts is not known"};
        }
        if (r.is_old) return {400, "HTTP/1.0 has no Transfer-Encoding"};
        if (const auto bad = read_codings(r); bad.status != 0) return bad;
    }
    if (r.has(http_field::content_length)) {
        r.length = parse_number(r.field(http_field::content_length));
        if (!r.length) return {400, "Content-Length is one number"};
        if (*r.length > std::numeric_limits<std::int64_t>::max()) {
            return {413, "Content-Length is more than any file can have, 2^63 - 1 bytes"};
        }
    }
    return {};
}

http_refusal interpret(http_request& r) noexcept {
    if (r.has(http_field::host)) {
        if (!is_authority(r.field(http_field::host))) {
            return {400, "Host is one host and, behind a colon, a port, and nothing else"};
        }
    } else if (!r.is_old) {
        return {400, "HTTP/1.1 has a Host field"};
    }
    if (const auto bad = read_body_framing(r); bad.status != 0) return bad;
    if (const auto expected = r.field(http_field::expect); !expected.empty() && !r.is_old) {
        if (!same_word(expected, "100-continue")) {
            return {417, "only 100-continue can be expected here"};
        }
        r.expects_go_ahead = true;
    }
    const bool close = lists_word(r, http_field::connection, "close");
    r.keeps_alive = !close && (!r.is_old || lists_word(r, http_field::connection, "keep-alive"));
    return {};
}

/// The authority of a target that is a URL.
std::optional<std::string_view> authority_in(std::string_view target) noexcept {
    const auto rest = without_scheme(target);
    if (!rest) return std::nullopt;
    return rest->substr(0, std::min(rest->find_first_of("/?"), rest->size()));
}

/// Parses a head of a version that Beast knows.
std::expected<void, http_refusal> parse_known(std::string_view head, http_request& into) {
    collector parser{into};
    beast::error_code ec;
    parser.put(boost::asio::const_buffer{head.data(), head.size()}, ec);
    if (parser.refusal().status != 0) return std::unexpected{parser.refusal()};
    if (ec) return std::unexpected{refusal_of(ec, head)};
    if (!parser.is_header_done()) return std::unexpected{http_refusal{400, "the head is not HTTP"}};
    if (const auto bad = interpret(into); bad.status != 0) return std::unexpected{bad};
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

void http_request::clear() noexcept {
    method = http_method::unknown;
    target = {};
    keeps_alive = is_old = expects_go_ahead = chunked = false;
    length.reset();
    fields.clear();
}

void http_request::move_views(const char* from, const char* to) noexcept {
    const auto moved = [from, to](std::string_view view) {
        return view.data() == nullptr ? view
                                      : std::string_view{to + (view.data() - from), view.size()};
    };
    target = moved(target);
    for (auto& each : fields) each.second = moved(each.second);
}

std::expected<http_target, std::string_view> split_target(std::string_view target) noexcept {
    if (target == "*") return http_target{.path = target, .query = {}};
    if (target.find('#') != std::string_view::npos) {
        return std::unexpected{"a request's target has no fragment: leave # and what follows out"};
    }
    if (const auto authority = authority_in(target)) {
        if (!is_authority(*authority)) {
            return std::unexpected{"the URL's authority is one host and, behind a colon, a port"};
        }
        target.remove_prefix(static_cast<std::size_t>(authority->end() - target.begin()));
        if (target.empty()) return http_target{.path = "/", .query = {}};
        if (target.front() == '?') return http_target{.path = "/", .query = target.substr(1)};
    }
    if (target.empty() || target.front() != '/') {
        return std::unexpected{"the request's target is neither a path nor a URL"};
    }
    const auto mark = target.find('?');
    if (mark == std::string_view::npos) return http_target{.path = target, .query = {}};
    return http_target{.path = target.substr(0, mark), .query = target.substr(mark + 1)};
}

std::string_view authority_of(const http_request& request) noexcept {
    return authority_in(request.target).value_or(request.field(http_field::host));
}

bool query_has(std::string_view query, std::string_view name,
               std::optional<std::string_view> value) noexcept {
    return parameter_of(query, name, value).has_value();
}

std::optional<std::string_view> query_value(std::string_view query,
                                            std::string_view name) noexcept {
    return parameter_of(query, name, std::nullopt);
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
        // The CR is not counted.
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
    into.clear();
    while (head.starts_with("\r\n")) head.remove_prefix(2);
    // Later HTTP/1 versions count as 1.1 (RFC 9110, section 2.5). Beast knows none of them.
    const auto version = find_version(head);
    if (!version || head[*version] != '1' || head[*version + 2] <= '1') {
        return parse_known(head, into);
    }
    std::string known{head};
    known[*version + 2] = '1';
    const auto parsed = parse_known(known, into);
    into.move_views(known.data(), head.data());
    return parsed;
}

}  // namespace sluice::http
