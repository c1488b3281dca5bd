// Range, Content-Range and their like under any text: parts lie within the file and apart.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "fuzz/input.hpp"
#include "sluice/base/check.hpp"
#include "sluice/http/accept.hpp"
#include "sluice/http/authority.hpp"
#include "sluice/http/content_type.hpp"
#include "sluice/http/date.hpp"
#include "sluice/http/digest_field.hpp"
#include "sluice/http/entity_tag.hpp"
#include "sluice/http/range.hpp"

namespace sluice::fuzz::http_range_target {
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
void examine(std::string_view text) {
    constexpr std::uint64_t sizes[] = {0, 1, 10, 1000, 1ULL << 40U, ~0ULL >> 1U};
    const std::size_t chosen = take_byte(text) % std::size(sizes);
    check_range(text, sizes[chosen]);

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
    check(!is_entity_tag(text) || lists_weakly(text, text.substr(text.find('"'))),
          "a tag that is not its own");
    check(!is_authority(text) ||
              text.find_first_of(std::string_view{"@/\\?#, \r\n\0", 10}) == std::string_view::npos,
          "a host with something else in it");
    check(!is_media_type(text) || text.find_first_of("\r\n") == std::string_view::npos,
          "a type of several lines");
    constexpr std::array<std::string_view, 4> offers{"application/json", "text/html", "image/png",
                                                     "text/plain; version=0.0.4"};
    const auto best = best_of(text, offers);
    for (std::size_t i = 0; i < offers.size(); ++i) {
        const auto rank = rank_of(text, offers[i]);
        check(rank.closeness <= 3, "closer than its name");
        check(rank <= rank_of(text, offers[best]), "another offer is better than the best");
    }
}

}  // namespace sluice::fuzz::http_range_target
