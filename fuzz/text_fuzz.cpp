// Text under any bytes: judged as a decoder that adds up values judges it, safe and valid after.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "fuzz/input.hpp"
#include "sluice/base/check.hpp"
#include "sluice/wire/html.hpp"
#include "sluice/wire/json_string.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::fuzz::text_target {
namespace {

using namespace sluice::wire;
using sluice::check;

/// The code points, or none if `text` is not UTF-8: reads the value first and then asks whether it
/// may be written so, where the code under test never lets a wrong byte in.
std::optional<std::vector<std::uint32_t>> decode(std::string_view text) {
    std::vector<std::uint32_t> out;
    for (std::size_t i = 0; i < text.size();) {
        const auto first = static_cast<std::uint8_t>(text[i]);
        std::size_t length = 0;
        std::uint32_t value = 0;
        if (first < 0x80) {
            length = 1;
            value = first;
        } else if ((first & 0xe0) == 0xc0) {
            length = 2;
            value = first & 0x1f;
        } else if ((first & 0xf0) == 0xe0) {
            length = 3;
            value = first & 0x0f;
        } else if ((first & 0xf8) == 0xf0) {
            length = 4;
            value = first & 0x07;
        } else {
            return std::nullopt;
        }
        if (text.size() - i < length) return std::nullopt;
        for (std::size_t k = 1; k < length; ++k) {
            const auto next = static_cast<std::uint8_t>(text[i + k]);
            if ((next & 0xc0) != 0x80) return std::nullopt;
            value = (value << 6) | (next & 0x3f);
        }
        constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        if (value < least[length] || value > 0x10ffff) return std::nullopt;
        if (value >= 0xd800 && value <= 0xdfff) return std::nullopt;
        out.push_back(value);
        i += length;
    }
    return out;
}

bool harms_a_terminal(std::uint32_t c) {
    return (c < 0x20 && c != '\t') || (c >= 0x7f && c < 0xa0) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

bool harmless(const std::vector<std::uint32_t>& points) {
    return std::none_of(points.begin(), points.end(), harms_a_terminal);
}

void check_json(std::string_view text) {
    std::string written;
    append_json_string(written, text);
    check(is_printable(written) && written.find('\t') == std::string::npos,
          "JSON that a terminal obeys");
    const auto read = nlohmann::json::parse(written, nullptr, false);
    check(read.is_string() && read.get<std::string>() == replace_invalid_utf8(text),
          "another text as JSON");
}

}  // namespace

void examine(std::string_view text) {
    const auto points = decode(text);
    check(sluice::wire::is_valid_utf8(text) == points.has_value(), "the two decoders disagree");
    check(sluice::wire::is_printable(text) == (points && harmless(*points)),
          "wrong about what may be shown");

    const auto shown = printable(text);
    const auto shown_points = decode(shown);
    check(shown_points && harmless(*shown_points), "what is shown can harm");
    check(sluice::wire::is_printable(text) == (shown == text),
          "escaped what needs none, or not what does");
    check(printable(shown) == shown, "escaping twice escapes more");
    std::string scratch;
    check(printable(text, scratch) == shown, "the two ways to escape disagree");

    const auto escaped = escape_html(text);
    check(decode(escaped).has_value(), "what is escaped is no text");
    check(escaped.find_first_of("<>\"'") == std::string::npos, "text becomes markup");

    check_json(text);

    const auto replaced = replace_invalid_utf8(text);
    check(decode(replaced).has_value(), "replacing left what is not UTF-8");
    check(points.has_value() == (replaced == text), "replaced what is UTF-8, or not what is not");
    check(replace_invalid_utf8(replaced) == replaced, "replacing twice replaces more");

    const auto line = without_line_end(text);
    check(text.starts_with(line) && text.size() - line.size() <= 2, "more than the end of a line");
    check(line.size() == text.size() || text.substr(line.size()).ends_with('\n'),
          "an end of a line that is none");

    for (std::size_t max = 0; max <= std::min<std::size_t>(replaced.size(), 40); ++max) {
        const auto cut = truncate_utf8(replaced, max);
        check(cut.size() <= max && cut.size() + 4 > max, "cut too little or too much");
        check(replaced.starts_with(cut) && decode(cut), "cut within a character");
        check(truncate_utf8(text, max).size() <= max, "cut too little");
    }
}

}  // namespace sluice::fuzz::text_target
