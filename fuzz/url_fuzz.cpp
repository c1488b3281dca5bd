// URLs under any bytes: what is taken apart goes together again, and holds nothing that would end a
// line of a request or that a terminal would obey.
#include <algorithm>
#include <string>
#include <string_view>

#include "fuzz/input.hpp"
#include "sluice/base/check.hpp"
#include "sluice/files/client/redirect.hpp"
#include "sluice/http/url.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::fuzz::url_target {
namespace {

using namespace sluice::http;
using sluice::check;

bool fits_a_request_line(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

void check_redirect(std::string_view text) {
    const auto target = sluice::files::redirect_target(std::string{text}, "localhost:80");
    if (!target) {
        check(sluice::wire::is_printable(target.error().what), "a complaint that a terminal obeys");
        return;
    }
    check(target->starts_with('/'), "a target that is no path");
    check(fits_a_request_line(*target), "a target that breaks its line");
}

}  // namespace

void examine(std::string_view text) {
    check_redirect(text);
    const auto made = parse_url(text);
    if (!made) {
        check(sluice::wire::is_printable(made.error()), "a complaint that a terminal obeys");
        return;
    }
    check(fits_a_request_line(made->target()), "a target that breaks its line");
    check(made->scheme == url_scheme::tcp || made->path.starts_with('/'), "a path without a root");
    const auto again = parse_url(made->to_string());
    check(again && again->to_string() == made->to_string(), "it changes when it is read again");
    const auto name = last_name(made->path);
    check(name != "." && name != ".." && name.find('/') == std::string::npos &&
              name.find('\0') == std::string::npos,
          "a name that leads elsewhere");
}

}  // namespace sluice::fuzz::url_target
