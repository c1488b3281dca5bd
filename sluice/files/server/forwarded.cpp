// Implements forwarded_client: the elements of X-Forwarded-For from the end.
#include "sluice/files/server/forwarded.hpp"

#include <ranges>
#include <string_view>

#include "sluice/http/text.hpp"

namespace sluice::files {

net::address forwarded_client(const http::http_request& request,
                              const std::vector<net::network>& trusted, net::address from) {
    for (const auto& [name, value] : request.fields | std::views::reverse) {
        if (name != http::http_field::x_forwarded_for) continue;
        for (std::string_view rest = value; !rest.empty();) {
            const auto comma = rest.rfind(',');
            const bool is_first = comma == std::string_view::npos;
            const auto element = http::trim_blanks(is_first ? rest : rest.substr(comma + 1));
            rest = is_first ? std::string_view{} : rest.substr(0, comma);
            if (element.empty()) continue;
            const auto named = net::parse_host(element);
            if (!named) return from;
            from = named->with_port(0);
            if (!net::covers(trusted, from)) return from;
        }
    }
    return from;
}

}  // namespace sluice::files
