// Heads of HTTP under any bytes and any split: the same verdict, and views of the head alone.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/check.hpp"
#include "sluice/http/request.hpp"

namespace {

using namespace sluice::http;
using sluice::check;

constexpr http_head_scanner::limits limits{.line = 200, .head = 1000};

/// What comes of a head: its length, or the status of the refusal; neither while more must come.
struct verdict {
    std::optional<std::size_t> length;
    unsigned status = 0;
    friend bool operator==(const verdict&, const verdict&) = default;
};

/// Shown in steps of which each is as long as the next byte of `steps` says.
verdict scan(std::string_view bytes, std::string_view steps) {
    http_head_scanner scanner{limits};
    std::size_t at = 0;
    for (std::size_t i = 0;; ++i) {
        const std::size_t step =
            steps.empty() ? bytes.size()
                          : 1 + (static_cast<std::uint8_t>(steps[i % steps.size()]) & 63U);
        at = std::min(bytes.size(), at + step);
        const auto found = scanner.scan(bytes.substr(0, at));
        if (!found) return {.length = {}, .status = found.error().status};
        if (*found) return {.length = *found, .status = 0};
        if (at == bytes.size()) return {};
    }
}

bool within(std::string_view part, std::string_view whole) {
    return part.empty() || (part.data() >= whole.data() &&
                            part.data() + part.size() <= whole.data() + whole.size());
}

}  // namespace

/// The first byte says how many of those behind it are the steps; the rest is what the peer sends.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): bytes are what text is made of
    std::string_view bytes{reinterpret_cast<const char*>(data), size};
    const std::size_t count = std::min<std::size_t>(bytes.front() & 7, size - 1);
    const auto steps = bytes.substr(1, count);
    bytes.remove_prefix(1 + count);

    const auto whole = scan(bytes, {});
    check(scan(bytes, steps) == whole, "a split changes what a head is");
    check(whole.length || whole.status != 0 || bytes.size() < limits.head, "a head without an end");
    if (!whole.length) return 0;
    check(*whole.length <= limits.head, "a head beyond its limit");

    const auto head = bytes.substr(0, *whole.length);
    http_request request;
    const auto parsed = parse_request(head, request);
    if (!parsed) {
        check(parsed.error().status >= 400 && !parsed.error().why.empty(), "a refusal says why");
        return 0;
    }
    check(!(request.chunked && request.length), "two ways to tell a body's end");
    check(within(request.target, head), "a target from elsewhere");
    for (const auto& [name, value] : request.fields) {
        check(within(value, head), "a value from elsewhere");
        check(value.find_first_of(std::string_view{"\r\n\0", 3}) == std::string_view::npos,
              "a value of several lines");
    }
    const auto target = split_target(request.target);
    check(!target || target->path == "*" || target->path.starts_with('/'), "a path begins with /");
    return 0;
}
