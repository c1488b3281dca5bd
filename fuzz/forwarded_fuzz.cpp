// X-Forwarded-For under any text: the client is one that a trusted proxy named, and never one that
// the client itself could name.
#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "fuzz/input.hpp"
#include "sluice/base/check.hpp"
#include "sluice/files/server/forwarded.hpp"
#include "sluice/http/text.hpp"
#include "sluice/net/network.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::fuzz::forwarded_target {
namespace {

using sluice::check;

/// All elements of all fields, from the first to the last.
std::vector<std::string_view> elements_of(const http::http_request& request) {
    std::vector<std::string_view> all;
    for (const auto& [name, value] : request.fields) {
        std::string_view rest = value;
        for (auto comma = rest.find(','); comma != std::string_view::npos; comma = rest.find(',')) {
            all.push_back(http::trim_blanks(rest.substr(0, comma)));
            rest.remove_prefix(comma + 1);
        }
        all.push_back(http::trim_blanks(rest));
    }
    std::erase(all, std::string_view{});
    return all;
}

void check_network(std::string_view text) {
    const auto why = net::why_no_network(text);
    check(wire::is_printable(why), "a refusal that a terminal obeys");
    const auto found = net::network::parse(text);
    check(found.has_value() == why.empty(), "a network, and a reason why it is none");
    const auto host = net::parse_host(text.substr(0, text.find('/')));
    if (found && host) check(found->covers(*host), "a network without the address that names it");
    if (found && host) check(found->covers(host->with_port(80)), "a network of one port");
    check(!found || text.find('/') == std::string_view::npos || !found->covers({}),
          "a network with an address that is none");
}

}  // namespace

/// A value of the field in each line.
void examine(std::string_view text) {
    static const std::vector trusted{net::network::parse("10.0.0.0/8").value(),
                                     net::network::parse("fd00::/8").value()};
    const auto proxy = net::address::parse("10.0.0.1:0").value();
    check_network(text);
    http::http_request request;
    while (!text.empty()) {
        const auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        request.fields.emplace_back(http::http_field::x_forwarded_for, line);
    }
    const auto found = files::forwarded_client(request, trusted, proxy);
    auto expected = proxy;
    auto all = elements_of(request);
    while (!all.empty() && net::covers(trusted, expected)) {
        const auto named = net::parse_host(all.back());
        if (!named) break;
        expected = named->with_port(0);
        all.pop_back();
    }
    check(found == expected, "a client that no trusted proxy named");
    check(found.port() == 0, "a port that may be another's");
}

}  // namespace sluice::fuzz::forwarded_target
