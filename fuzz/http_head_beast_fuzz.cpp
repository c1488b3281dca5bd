// Heads of requests as read here and by the parser of Boost.Beast: the same request, and where only
// one of them refuses it, for a reason that is listed.
#include <algorithm>
#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "fuzz/head_refusals.hpp"
#include "fuzz/input.hpp"
#include "sluice/base/check.hpp"
#include "sluice/http/request.hpp"
#include "sluice/http/text.hpp"

namespace sluice::fuzz::http_head_beast_target {
namespace {

using namespace sluice::http;
using sluice::check;
namespace beast_http = boost::beast::http;
using beast_parser = beast_http::request_parser<beast_http::empty_body>;

/// Where Beast refuses what this server takes: empty lines before a request (RFC 9112, section 2.2)
/// and later versions of HTTP/1 (RFC 9110, section 2.5) are taken away.
std::string as_beast_likes(std::string_view head) {
    while (head.starts_with("\r\n")) head.remove_prefix(2);
    std::string made{head};
    const auto end = made.find("\r\n");
    if (end == std::string::npos || end < 9) return made;
    char& minor = made[end - 1];
    if (made.substr(end - 9, 8) == " HTTP/1." && minor > '1' && minor <= '9') minor = '1';
    return made;
}

struct read_by_beast {
    beast_parser parser;
    bool good = false;
    std::size_t taken = 0;

    explicit read_by_beast(const std::string& head) {
        parser.header_limit(1U << 20U);
        parser.body_limit(boost::none);
        boost::beast::error_code ec;
        taken = parser.put(boost::asio::buffer(head), ec);
        good = !ec && parser.is_header_done();
    }
};

std::string_view view_of(boost::beast::string_view text) {
    return {text.data(), text.size()};
}

/// The method that Beast has read, as this server knows it.
http_method method_of(beast_http::verb which) {
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

void check_fields(const http_request& ours, const beast_parser& theirs) {
    std::size_t known = 0;
    for (const auto& [which, name] : sluice::fuzz::field_names) {
        std::vector<std::string_view> values;
        for (const auto& each : theirs.get()) {
            if (same_word(view_of(each.name_string()), name)) {
                values.push_back(view_of(each.value()));
            }
        }
        std::vector<std::string_view> found;
        for (const auto& [field, value] : ours.fields) {
            if (field == which) found.push_back(value);
        }
        check(found == values, "another value");
        known += values.size();
    }
    check(known == ours.fields.size(), "a field of another name");
}

bool lists_close(const http_request& request) {
    return std::ranges::any_of(request.fields, [](const auto& each) {
        if (each.first != http_field::connection) return false;
        std::string_view list = each.second;
        while (const auto element = next_element(list)) {
            if (same_word(*element, "close")) return true;
        }
        return false;
    });
}

void check_same(const http_request& ours, const beast_parser& theirs) {
    const auto& message = theirs.get();
    check(ours.method == method_of(message.method()), "another method");
    check(ours.target == view_of(message.target()), "another target");
    check(ours.is_old == (message.version() < 11), "another version");
    check(ours.chunked == theirs.chunked(), "chunked for one of them");
    const auto length = theirs.content_length();
    check(ours.length.has_value() == length.has_value() && (!length || *ours.length == *length),
          "another length");
    check_fields(ours, theirs);
    // Beast listens to Proxy-Connection (no field of HTTP: RFC 9112, appendix C.2.2), and of
    // HTTP/1.0 not to `close` beside `keep-alive` (RFC 9112, section 9.3: close comes first).
    if (message.count("proxy-connection") > 0) return;
    if (ours.is_old && theirs.keep_alive() && !ours.keeps_alive) {
        check(lists_close(ours), "a connection is closed without a reason");
        return;
    }
    check(ours.keeps_alive == theirs.keep_alive(), "a connection that only one of them keeps");
}

}  // namespace

void examine(std::string_view bytes) {
    http_head_scanner scanner{{.line = 1U << 20U, .head = 1U << 20U}};
    const auto found = scanner.scan(bytes);
    if (found && !*found) return;
    // What was refused on the way may be the beginning of a head for Beast.
    const auto head = bytes.substr(0, found ? **found : bytes.size());
    http_request ours;
    const auto parsed = found ? parse_request(head, ours) : std::unexpected{found.error()};
    const auto known = as_beast_likes(head);
    const read_by_beast theirs{known};
    if (parsed) {
        check(theirs.good, "Beast refuses what is taken here");
        check(theirs.taken == known.size(), "a head of another length");
        check_same(ours, theirs.parser);
        return;
    }
    check(!theirs.good || is_listed(parsed.error().why, head_refusals),
          "refused for a reason that is not listed");
}

}  // namespace sluice::fuzz::http_head_beast_target
