// Escapes text for HTML and SVG.
#pragma once

#include <string>
#include <string_view>

namespace sluice::lab {

/// `text` escaped for HTML and SVG, between tags or in a quoted attribute (HTML, section 13.1.4):
/// special characters become references; invalid UTF-8 and controls become U+FFFD.
[[nodiscard]] std::string escaped(std::string_view text);

}  // namespace sluice::lab
