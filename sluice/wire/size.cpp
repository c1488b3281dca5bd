// Implements parse_size and format_size.
#include "sluice/wire/size.hpp"

#include <charconv>
#include <iterator>
#include <limits>
#include <system_error>

namespace sluice::wire {
namespace {

/// The exponent of two for a suffix: 10 for K, 0 for no suffix.
std::optional<int> shift_of(std::string_view suffix) noexcept {
    if (suffix.empty()) return 0;
    if (suffix.size() > 1) return std::nullopt;
    switch (suffix.front()) {
        case 'k':
        case 'K': return 10;
        case 'm':
        case 'M': return 20;
        case 'g':
        case 'G': return 30;
        case 't':
        case 'T': return 40;
        default: return std::nullopt;
    }
}

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) noexcept {
    std::uint64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [after, problem] = std::from_chars(text.data(), end, number);
    if (problem != std::errc{}) return std::nullopt;

    const auto shift = shift_of({after, end});
    if (!shift) return std::nullopt;
    if (number > std::numeric_limits<std::uint64_t>::max() >> *shift) return std::nullopt;
    return number << *shift;
}

std::string format_size(std::uint64_t bytes) {
    constexpr std::string_view units[] = {" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"};
    std::size_t unit = 0;
    while (unit + 1 < std::size(units) && bytes >> (10 * unit) >= 1024) ++unit;

    const std::uint64_t one = std::uint64_t{1} << (10 * unit);
    std::uint64_t whole = bytes / one;
    const std::uint64_t rest = bytes % one;
    if (rest == 0) return std::to_string(whole).append(units[unit]);

    // At most 10 * 2^60, which fits.
    std::uint64_t tenths = (rest * 10 + one / 2) / one;
    if (tenths == 10) {
        tenths = 0;
        ++whole;
    }
    if (whole == 1024) {
        whole = 1;
        ++unit;
    }
    return std::to_string(whole).append(".").append(std::to_string(tenths)).append(units[unit]);
}

}  // namespace sluice::wire
