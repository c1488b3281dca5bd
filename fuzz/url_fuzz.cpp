// URLs under any bytes: what is taken apart goes together again, and holds nothing that would end a
// line of a request or that a terminal would obey.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sluice/base/check.hpp"
#include "sluice/http/url.hpp"
#include "sluice/wire/text.hpp"

namespace {

using namespace sluice::http;
using sluice::check;

bool fits_a_request_line(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): bytes are what text is made of
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const auto made = parse_url(text);
    if (!made) {
        check(sluice::wire::is_printable(made.error()), "a complaint that a terminal obeys");
        return 0;
    }
    check(fits_a_request_line(made->target()), "a target that breaks its line");
    check(made->scheme == url_scheme::tcp || made->path.starts_with('/'), "a path without a root");
    const auto again = parse_url(made->to_string());
    check(again && again->to_string() == made->to_string(), "it changes when it is read again");
    const auto name = last_name(made->path);
    check(name != "." && name != ".." && name.find('/') == std::string::npos &&
              name.find('\0') == std::string::npos,
          "a name that leads elsewhere");
    return 0;
}
