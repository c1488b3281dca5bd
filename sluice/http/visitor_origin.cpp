// Implements visitor_origin: hosts that are this server, and origins that are its own.
#include "sluice/http/visitor_origin.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sluice/http/authority.hpp"
#include "sluice/http/text.hpp"

namespace sluice::http {
namespace {

constexpr std::string_view every_page = "*";

/// A host without its port, and without the dot that may end a name.
std::string_view host_of(std::string_view authority) noexcept {
    if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
    auto host = authority.substr(0, authority.find(':'));
    if (host.size() > 1 && host.ends_with('.')) host.remove_suffix(1);
    return host;
}

bool has_end(std::string_view name, std::string_view end) noexcept {
    return name.size() > end.size() && same_word(name.substr(name.size() - end.size()), end);
}

/// Four numbers. A browser makes any other way to write an IPv4 address into this one (URL, section
/// 3.5), and no name ends in a number.
bool is_ipv4(std::string_view host) noexcept {
    const auto last = host.substr(host.rfind('.') + 1);
    return !last.empty() && std::ranges::all_of(last, [](char c) { return c >= '0' && c <= '9'; });
}

/// The same authority; a port that the scheme implies may be missing in either.
bool same_authority(std::string_view a, std::string_view b, std::string_view port) noexcept {
    const auto without = [port](std::string_view text) {
        return text.size() > port.size() && text.ends_with(port) &&
                       text[text.size() - port.size() - 1] == ':'
                   ? text.substr(0, text.size() - port.size() - 1)
                   : text;
    };
    return same_word(without(a), without(b));
}

}  // namespace

visitor_origin::visitor_origin(std::vector<std::string> hosts, std::vector<std::string> pages,
                               std::string machine)
    : hosts_{std::move(hosts)}, pages_{std::move(pages)} {
    hosts_.push_back(machine + ".local");
    hosts_.push_back(std::move(machine));
}

bool visitor_origin::is_our_host(std::string_view host) const noexcept {
    return std::ranges::any_of(hosts_,
                               [host](const std::string& each) { return same_word(each, host); });
}

bool visitor_origin::is_for_us(std::string_view authority) const noexcept {
    const auto host = host_of(authority);
    return host.starts_with('[') || host.find('.') == std::string_view::npos || is_ipv4(host) ||
           has_end(host, ".localhost") || is_our_host(host);
}

bool visitor_origin::is_foreign(const http_request& request) const noexcept {
    if (!allowed_page(request).empty()) return false;
    if (const auto site = request.field(http_field::sec_fetch_site); !site.empty()) {
        return !same_word(site, "same-origin") && !same_word(site, "none");
    }
    if (!request.has(http_field::origin)) return false;
    const auto origin = request.field(http_field::origin);
    const auto authority = without_scheme(origin);
    if (!authority) return true;
    if (is_our_host(host_of(*authority))) return false;
    const std::string_view port = lower(origin[4]) == 's' ? "443" : "80";
    return !same_authority(*authority, request.field(http_field::host), port);
}

std::string_view visitor_origin::allowed_page(const http_request& request) const noexcept {
    const auto origin = request.field(http_field::origin);
    if (origin.empty()) return {};
    for (const auto& each : pages_) {
        if (each == every_page) return every_page;
        if (same_word(each, origin)) return origin;
    }
    return {};
}

std::string visitor_origin::why_no_page(std::string_view text) {
    if (text == every_page) return {};
    const auto authority = without_scheme(text);
    if (authority && is_authority(*authority)) return {};
    return fmt::format(
        "'{}' is no origin; write it as a browser does, https://example.org, with "
        "its port if it has one, or * for every page",
        text);
}

}  // namespace sluice::http
