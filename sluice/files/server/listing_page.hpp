// Formats a directory listing as an HTML page.
#pragma once

#include <cstddef>
#include <string>

#include "sluice/files/server/listing.hpp"

namespace sluice::files {

// listing_writer writes one HTML document (UTF-8) that loads no other resource, and may not: its
// policy (CSP level 3) names its style and script by their hashes. It reads without JavaScript;
// with it the columns sort, times are local, and the user uploads files by button or drag and drop,
// each by a PUT below the address of the page, and removes them by a DELETE. Names and path are
// escaped for HTML and encoded for URLs; invalid UTF-8 in them is shown as U+FFFD. A directory of
// several pages has links from each to the others (`?page=N`).

void append_page_beginning(std::string& out, const listing& what);
void append_page_entry(std::string& out, const listing_entry& entry, bool may_delete);
/// Its counts are of the whole directory, not of the page.
void append_page_end(std::string& out, const listing& what);
/// Hash of the style and the script, which are the same for every directory: another version of
/// this program may have other ones.
[[nodiscard]] std::size_t page_form_hash() noexcept;

}  // namespace sluice::files
