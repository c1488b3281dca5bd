// Entity tags, and the fields that compare them (RFC 9110, sections 8.8.3 and 13.1).
#pragma once

#include <string_view>

namespace sluice::http {

/// Whether one of the tags in `list` (If-Match) is `tag`, strongly compared: both strong and the
/// same. `*` is any. `tag` has its quotes.
[[nodiscard]] bool lists_strongly(std::string_view list, std::string_view tag) noexcept;
/// The same weakly compared (If-None-Match): a W/ before a tag counts for nothing.
[[nodiscard]] bool lists_weakly(std::string_view list, std::string_view tag) noexcept;
/// Whether `text` is a tag, weak or strong, and not a date.
[[nodiscard]] bool is_entity_tag(std::string_view text) noexcept;

}  // namespace sluice::http
