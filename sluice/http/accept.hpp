// Ranks media types by an Accept field (RFC 9110, section 12.5.1).
#pragma once

#include <compare>
#include <cstddef>
#include <span>
#include <string_view>

namespace sluice::http {

/// How an Accept field ranks a media type; greater is better. Weight counts first, then closeness,
/// then place.
struct media_rank {
    static constexpr unsigned refused = 0;    ///< q=0
    static constexpr unsigned unmatched = 1;  ///< no range matches the type

    unsigned weight = unmatched;  ///< or one more than the thousandths of q: 1,001 for q=1
    unsigned closeness = 0;       ///< 1 for */*, 2 for TYPE/*, 3 for TYPE/SUBTYPE
    std::size_t place = 0;        ///< greater for a range that stands earlier

    [[nodiscard]] friend auto operator<=>(const media_rank&, const media_rank&) = default;
};

/// The rank that the list `accept` gives to `offer`: `text/html`, perhaps with parameters, as in
/// `text/plain; version=0.0.4`. A range with a parameter that it has not does not match it.
[[nodiscard]] media_rank rank_of(std::string_view accept, std::string_view offer) noexcept;

/// The index of the offer that `accept` ranks highest; the first of equals.
[[nodiscard]] std::size_t best_of(std::string_view accept,
                                  std::span<const std::string_view> offers) noexcept;

}  // namespace sluice::http
