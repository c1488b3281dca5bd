// Text made safe for a page.
#pragma once

#include <string>
#include <string_view>

namespace sluice::lab {

/// `text` for HTML and SVG, between tags or in a quoted attribute (HTML, section 13.1.4): what has
/// a meaning there is written as a reference, what is not UTF-8 and controls are U+FFFD.
[[nodiscard]] std::string escaped(std::string_view text);

}  // namespace sluice::lab
