// Range, Content-Range and their like under any text: parts lie within the file and apart.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "sluice/base/check.hpp"
#include "sluice/http/accept.hpp"
#include "sluice/http/authority.hpp"
#include "sluice/http/content_type.hpp"
#include "sluice/http/date.hpp"
#include "sluice/http/digest_field.hpp"
#include "sluice/http/entity_tag.hpp"
#include "sluice/http/range.hpp"

namespace {

using namespace sluice::http;
using sluice::check;

void check_range(std::string_view text, std::uint64_t size) {
    constexpr std::size_t most = 8;
    const auto asked = parse_range(text, size, most);
    check((asked.what == asked_range::kind::parts) == !asked.parts.empty(), "parts, and none");
    check(asked.parts.size() <= most, "more parts than may be");
    auto parts = asked.parts;
    std::ranges::sort(parts, {}, &byte_part::offset);
    std::uint64_t free = 0;
    bool first = true;
    for (const auto& part : parts) {
        check(part.length > 0 && part.offset < size && part.length <= size - part.offset,
              "a part outside of the file");
        check(first || part.offset > free, "parts that touch");
        free = part.offset + part.length;
        first = false;
    }
}

}  // namespace

/// The first byte chooses a size; the rest is the text of a field.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): bytes are what text is made of
    const std::string_view text{reinterpret_cast<const char*>(data) + 1, size - 1};
    constexpr std::uint64_t sizes[] = {0, 1, 10, 1000, 1ULL << 40U, ~0ULL >> 1U};
    check_range(text, sizes[data[0] % std::size(sizes)]);

    if (const auto range = parse_content_range(text)) {
        check(parse_content_range(format_content_range(*range)) == range, "another range");
        check(!range->part || !range->total || range->part->last() < *range->total, "beyond it");
    }
    if (const auto arrived = parse_arrived(text)) {
        check(parse_arrived(format_arrived(*arrived)) == arrived, "another count");
    }
    if (const auto date = parse_http_date(text)) {
        check(parse_http_date(format_http_date(*date)) == date, "another date");
    }
    if (const auto digest = parse_repr_digest(text); digest && *digest) {
        check(parse_repr_digest(format_repr_digest(**digest)).value() == *digest, "another digest");
        check(sha256_from_hex(to_hex(**digest)) == *digest, "another digest in digits");
    }
    check(!lists_strongly(text, "\"tag\"") || lists_weakly(text, "\"tag\""),
          "strong, and not weak");
    static_cast<void>(wants_sha256(text));
    check(!is_authority(text) || text.find_first_of("@/\\?#, \r\n") == std::string_view::npos,
          "a host with something else in it");
    check(!is_media_type(text) || text.find_first_of("\r\n") == std::string_view::npos,
          "a type of several lines");
    check(rank_of(text, "text/html").closeness <= 3, "closer than its name");
    return 0;
}
