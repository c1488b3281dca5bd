// Host, Origin and Sec-Fetch-Site under any text: no page of a stranger is taken for one of ours.
#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "fuzz/input.hpp"
#include "sluice/base/check.hpp"
#include "sluice/http/authority.hpp"
#include "sluice/http/text.hpp"
#include "sluice/http/visitor_origin.hpp"

namespace sluice::fuzz::visitor_origin_target {
namespace {

using namespace sluice::http;
using sluice::check;

constexpr std::string_view own_name = "files.example.org";
constexpr std::string_view allowed = "https://app.example.net";

std::string in_lower_case(std::string_view text) {
    std::string made{text};
    std::ranges::transform(made, made.begin(), lower);
    return made;
}

/// The host, without the dot that ends it and its port.
std::string host_of(std::string_view authority) {
    auto host = in_lower_case(authority.substr(0, authority.find(':')));
    if (host.size() > 1 && host.ends_with('.')) host.pop_back();
    return host;
}

bool is_ours(const std::string& host) {
    return host == own_name || host == "machine" || host == "machine.local";
}

void check_host(const visitor_origin& origins, std::string_view authority) {
    if (!is_authority(authority)) return;
    const bool is_for_us = origins.is_for_us(authority);
    if (authority.starts_with('[')) return check(is_for_us, "an address is not this server");
    const auto host = host_of(authority);
    const auto dot = host.rfind('.');
    if (dot == std::string::npos) return check(is_for_us, "a name of the local network is refused");
    const std::string_view last = std::string_view{host}.substr(dot + 1);
    const bool is_address =
        !last.empty() && last.find_first_not_of("0123456789") == std::string_view::npos;
    check(is_for_us == (is_address || (dot > 0 && last == "localhost") || is_ours(host)),
          "a name that a stranger may have is this server");
}

/// HOST:PORT, with the port of the scheme where there is none.
std::string with_port(std::string_view authority, std::string_view port) {
    const auto text = in_lower_case(authority);
    const auto colon = text.rfind(':');
    const auto bracket = text.rfind(']');
    const bool has_port =
        colon != std::string::npos && (bracket == std::string::npos || colon > bracket);
    return has_port ? text : text + ":" + std::string{port};
}

bool is_expected(std::string_view origin, std::string_view host) {
    if (same_word(origin, allowed)) return true;
    const auto authority = without_scheme(origin);
    if (!authority) return false;
    const std::string_view port = lower(origin[4]) == 's' ? "443" : "80";
    return is_ours(host_of(*authority)) || with_port(*authority, port) == with_port(host, port);
}

void check_origin(const visitor_origin& origins, const http_request& request) {
    const auto origin = request.field(http_field::origin);
    const auto site = request.field(http_field::sec_fetch_site);
    const bool is_foreign = origins.is_foreign(request);
    const auto page = origins.allowed_page(request);
    check(page.empty() || (page == origin && same_word(origin, allowed)),
          "another page is allowed");
    if (!page.empty()) return check(!is_foreign, "an allowed page is a stranger");
    if (!site.empty()) {
        check(is_foreign != (same_word(site, "same-origin") || same_word(site, "none")),
              "what a browser says of a page does not count");
    } else {
        check(is_foreign == !is_expected(origin, request.field(http_field::host)),
              "a stranger's page is ours, or one of ours a stranger's");
    }
}

}  // namespace

/// The values of Host, Origin and Sec-Fetch-Site, a line each.
void examine(std::string_view text) {
    static const visitor_origin origins{{std::string{own_name}}, {std::string{allowed}}, "machine"};
    const auto take_line = [&text] {
        const auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        return trim_blanks(line);
    };
    const auto host = take_line();
    const auto origin = take_line();
    const auto site = take_line();
    check_host(origins, host);
    const auto why = visitor_origin::why_no_page(origin);
    const auto authority = without_scheme(origin);
    check(why.empty() == (origin == "*" || (authority && is_authority(*authority))),
          "a page that is none");
    // Where Host is none, the request was refused before.
    if (!is_authority(host) || (authority && !is_authority(*authority))) return;
    http_request request;
    request.fields = {{http_field::host, host}, {http_field::origin, origin}};
    if (!site.empty()) request.fields.emplace_back(http_field::sec_fetch_site, site);
    check_origin(origins, request);
}

}  // namespace sluice::fuzz::visitor_origin_target
