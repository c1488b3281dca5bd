// Compares entity tags with conditional fields (RFC 9110, sections 8.8.3 and 13.1).
#pragma once

#include <string_view>

namespace sluice::http {

/// Whether `list` (If-Match) holds `tag` by strong comparison: both strong and identical. `*`
/// matches any tag. `tag` is strong and has its quotes.
[[nodiscard]] bool lists_strongly(std::string_view list, std::string_view tag) noexcept;
/// The same by weak comparison (If-None-Match): a W/ before a tag in the list is ignored.
[[nodiscard]] bool lists_weakly(std::string_view list, std::string_view tag) noexcept;
/// Whether `text` is an entity tag, weak or strong, and not a date.
[[nodiscard]] bool is_entity_tag(std::string_view text) noexcept;

}  // namespace sluice::http
