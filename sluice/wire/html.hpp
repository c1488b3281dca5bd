// Escapes text for HTML and SVG.
#pragma once

#include <string>
#include <string_view>

namespace sluice::wire {

/// `text` escaped for HTML and SVG, between tags or in a quoted attribute (HTML, section 13.1.4):
/// special characters become references, ASCII controls their symbols (U+2400 and on), invalid
/// UTF-8 U+FFFD. Characters that change the direction of text stay: they act only in their own
/// element (bdi).
[[nodiscard]] std::string escape_html(std::string_view text);

}  // namespace sluice::wire
