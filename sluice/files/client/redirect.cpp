// Implements redirect_target: parses the Location, and takes the path if the server is the same.
#include "sluice/files/client/redirect.hpp"

#include <fmt/format.h>

#include "sluice/http/url.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::files {
namespace {

/// A part of a message of the server, cut and escaped for a terminal.
std::string printable_part(std::string_view text) {
    return wire::printable(wire::truncate_utf8(text, 200));
}

}  // namespace

attempt<std::string> redirect_target(const std::string& location, std::string_view authority) {
    std::string next = location;
    if (!location.starts_with('/')) {
        const auto url = http::parse_url(location);
        if (!url || url->authority != authority) {
            return failed("the server sends us elsewhere; get it from " + printable_part(location));
        }
        next = url->target();
    } else if (location.starts_with("//")) {
        return failed("the server sends us elsewhere; get it from " +
                      printable_part("http:" + location));
    }
    const auto parsed_url = http::parse_url(fmt::format("http://{}{}", authority, next));
    if (!parsed_url)
        return failed("the server sends us to what is no place: " + printable_part(location));
    if (parsed_url->path.ends_with('/')) {
        return failed("it is a directory; name a file in it, or look at it in a browser");
    }
    return parsed_url->target();
}

}  // namespace sluice::files
