// Formats a directory listing as JSON or as an HTML page, piece by piece.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sluice/files/server/folder.hpp"

namespace sluice::files {

/// A directory, or a page of it, and the operations that a client may do there.
struct listing {
    std::string path;  ///< from the root of the store, neither encoded nor escaped: "/DIR/"
    std::shared_ptr<const folder_contents> holds;
    std::size_t page = 0;  ///< from 1 on; 0: all entries
    bool may_upload = false;
    bool may_delete = false;

    static constexpr std::size_t page_size = 1000;  ///< entries per page

    /// At least 1.
    [[nodiscard]] std::size_t pages() const noexcept;
    /// The entries that are shown: from first() to before last().
    [[nodiscard]] std::size_t first() const noexcept;
    [[nodiscard]] std::size_t last() const noexcept;
};

/// "2026-11-22T10:00:00Z" (RFC 3339).
[[nodiscard]] std::string timestamp(std::chrono::sys_seconds when);

/// Writes a listing in pieces, so that it is never in memory as a whole.
///
/// As JSON (RFC 8259), on one line with its newline: `{"path":"/DIR/","entries":[{"name":"sub",
/// "type":"directory","modified":"..."},{"name":"a.bin","type":"file","size":1048576,
/// "modified":"2026-11-22T10:00:00Z"}]}`. `"page"` and `"pages"` follow the entries where there is
/// a page, `"unlisted"` and `"omitted"` where these are not 0 (folder_contents). Invalid UTF-8 in a
/// name becomes U+FFFD. As a page: see listing_page.hpp.
class listing_writer {
 public:
    enum class form : std::uint8_t { json, page };

    listing_writer(listing what, form how);

    /// Appends to `out` until at least `piece` bytes have been added, or the listing ends. False
    /// when it has ended before. About a microsecond per entry.
    bool next(std::string& out, std::size_t piece);
    /// Bytes of the whole listing: takes as long as to write it.
    [[nodiscard]] static std::uint64_t length(const listing& what, form how);
    /// Upper bound of a beginning, an end and one entry, in bytes.
    static constexpr std::size_t longest_addition = std::size_t{24} * 1024;

 private:
    enum class stage : std::uint8_t { beginning, entries, done };

    listing what_;
    form form_;
    stage stage_ = stage::beginning;
    std::size_t at_;
};

}  // namespace sluice::files
