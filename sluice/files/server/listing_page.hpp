// A directory as a page for a browser.
#pragma once

#include <cstddef>
#include <string>

#include "sluice/files/server/listing.hpp"

namespace sluice::files {

// What listing_writer puts together: one HTML document (UTF-8) that loads nothing else, and may
// not: its own policy (CSP level 3) names the style and the script in it by their hashes. It reads
// without JavaScript; with it the columns sort, times are local, and files go up by button or drag
// and drop, each by a PUT below the page's own address, and are taken away by a DELETE. Names and
// path are escaped for HTML and encoded for URLs; what is not UTF-8 in them is shown as U+FFFD. A
// directory of several pages has links from each to the others (`?page=N`).

void append_page_beginning(std::string& out, const listing& what);
void append_page_entry(std::string& out, const listing_entry& entry, bool may_delete);
/// What is counted there is the whole directory, not the page.
void append_page_end(std::string& out, const listing& what);
/// Of the parts of a page that are the same for every directory: another version of this program
/// may write another page.
[[nodiscard]] std::size_t page_form_hash() noexcept;

}  // namespace sluice::files
