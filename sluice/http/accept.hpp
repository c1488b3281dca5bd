// Which of several media types a client prefers, by its Accept fields (RFC 9110, section 12.5.1).
#pragma once

#include <compare>
#include <cstddef>
#include <span>
#include <string_view>

namespace sluice::http {

/// How an Accept field ranks one media type. More is better: first what it says of the type's
/// weight, then how closely it names it, then how early.
struct media_rank {
    static constexpr unsigned refused = 0;    ///< q=0
    static constexpr unsigned unmatched = 1;  ///< nothing is said of the type

    unsigned weight = unmatched;  ///< else one more than the thousandths: 1,001 for q=1
    unsigned closeness = 0;       ///< 1 for */*, 2 for TYPE/*, 3 for TYPE/SUBTYPE
    std::size_t place = 0;        ///< in the list, counted from its end

    [[nodiscard]] friend auto operator<=>(const media_rank&, const media_rank&) = default;
};

/// The rank that `accept`, a list, gives to `type` (`text/html`, without parameters).
[[nodiscard]] media_rank rank_of(std::string_view accept, std::string_view type) noexcept;

/// The index of the offer that `accept` ranks highest, the first of those that it ranks alike.
[[nodiscard]] std::size_t best_of(std::string_view accept,
                                  std::span<const std::string_view> offers) noexcept;

}  // namespace sluice::http
