// Implements parse_url(), which forgives what browsers forgive.
#include "sluice/http/url.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "sluice/http/percent.hpp"
#include "sluice/http/text.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::http {
namespace {

constexpr std::size_t shown = 200;

struct named_scheme {
    std::string_view name;
    url_scheme scheme;
    bool over_tls;
};
constexpr std::array<named_scheme, 4> schemes{{{"http://", url_scheme::http, false},
                                               {"https://", url_scheme::http, true},
                                               {"tcp://", url_scheme::tcp, false},
                                               {"tls://", url_scheme::tcp, true}}};

/// Whether a path or a query may hold `c` unencoded. RFC 3986 does not allow brackets; every
/// browser sends them, and every server takes them.
bool is_allowed(char c) noexcept {
    return c > ' ' && c < 0x7f && std::string_view{"\"<>\\^`{|}"}.find(c) == std::string_view::npos;
}

std::expected<std::string, std::string> encoded(std::string_view path) {
    std::string out;
    for (std::size_t i = 0; i < path.size(); ++i) {
        const char c = path[i];
        if (c == '%' &&
            (i + 2 >= path.size() || !hex_value(path[i + 1]) || !hex_value(path[i + 2]))) {
            return std::unexpected{
                wire::in_quotes(path, shown) +
                " has a percent sign that begins no encoded byte; write %25 for the sign itself"};
        }
        if (is_allowed(c)) {
            out += c;
        } else {
            fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return out;
}

bool has_port(std::string_view authority) noexcept {
    const auto colon = authority.rfind(':');
    const auto bracket = authority.rfind(']');
    return colon != std::string_view::npos &&
           (bracket == std::string_view::npos || colon > bracket);
}

}  // namespace

std::string url::to_string() const {
    for (const auto& each : schemes) {
        if (each.scheme != scheme || each.over_tls != over_tls) continue;
        return std::string{each.name} + authority + path + query;
    }
    return authority + path + query;
}

std::expected<url, std::string> parse_url(std::string_view text) {
    constexpr std::string_view form =
        "write http://HOST:PORT/NAME or tcp://HOST:PORT, or over TLS https:// or tls://";
    url made;
    std::string_view rest = text;
    const auto* const known = std::ranges::find_if(
        schemes, [text](const named_scheme& each) { return text.starts_with(each.name); });
    if (known == schemes.end()) {
        return std::unexpected{wire::in_quotes(text, shown) + " is no URL; " + std::string{form}};
    }
    made.scheme = known->scheme;
    made.over_tls = known->over_tls;
    rest.remove_prefix(known->name.size());
    rest = rest.substr(0, rest.find('#'));
    const auto authority = rest.substr(0, rest.find_first_of("/?"));
    rest.remove_prefix(authority.size());
    if (authority.empty()) {
        return std::unexpected{wire::in_quotes(text, shown) + " names no host; " +
                               std::string{form}};
    }
    if (authority.find('@') != std::string_view::npos) {
        return std::unexpected{wire::in_quotes(text, shown) +
                               " has a user, which is not spoken here; " + std::string{form}};
    }
    made.authority = authority;
    if (made.scheme == url_scheme::tcp) {
        if (!rest.empty() && rest != "/") {
            return std::unexpected{wire::in_quotes(text, shown) +
                                   " has a path, but a bare stream has no names; write "
                                   "tcp://HOST:PORT or tls://HOST:PORT"};
        }
        return made;
    }
    if (!has_port(authority)) made.authority += made.over_tls ? ":443" : ":80";
    const auto question = rest.find('?');
    auto path = encoded(rest.substr(0, question));
    if (!path) return std::unexpected{path.error()};
    made.path = path->empty() ? "/" : std::move(*path);
    if (question != std::string_view::npos) {
        auto query = encoded(rest.substr(question));
        if (!query) return std::unexpected{query.error()};
        made.query = std::move(*query);
    }
    return made;
}

std::string last_name(std::string_view path) {
    const auto slash = path.rfind('/');
    const auto name =
        percent_decode(slash == std::string_view::npos ? path : path.substr(slash + 1));
    if (!name || *name == "." || *name == "..") return {};
    if (name->find('/') != std::string::npos || name->find('\0') != std::string::npos) return {};
    return *name;
}

}  // namespace sluice::http
