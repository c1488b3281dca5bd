// A directory as a page for a browser.
#pragma once

#include <string>

#include "sluice/service/files/listing.hpp"

namespace sluice::service::files {

/// One HTML document (UTF-8) that loads nothing else, and may not: its own policy (CSP level 3)
/// names the style and the script in it by their hashes. It reads without JavaScript; with it the
/// columns sort, times are local, and files go up by button or drag and drop, each by a PUT below
/// the page's own address, and are taken away by a DELETE. Names and path are escaped for HTML and
/// encoded for URLs; what is not UTF-8 in them is shown as U+FFFD.
[[nodiscard]] std::string listing_page(const listing& what);

}  // namespace sluice::service::files
