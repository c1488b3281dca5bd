// A directory as JSON or as a page, written piece by piece.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sluice/files/server/folder.hpp"

namespace sluice::files {

/// A directory, or a page of it, and what a client may do there.
struct listing {
    std::string path;  ///< from the root of what is served, neither encoded nor escaped: "/DIR/"
    std::shared_ptr<const folder_contents> holds;
    std::size_t page = 0;  ///< from 1 on; 0: all of it
    bool may_upload = false;
    bool may_delete = false;

    static constexpr std::size_t page_size = 1000;  ///< entries

    /// At least 1.
    [[nodiscard]] std::size_t pages() const noexcept;
    /// The entries that are shown: from the first to before the last.
    [[nodiscard]] std::size_t first() const noexcept;
    [[nodiscard]] std::size_t last() const noexcept;
};

/// "2026-11-22T10:00:00Z" (RFC 3339).
[[nodiscard]] std::string timestamp(std::chrono::sys_seconds when);

/// `text` in quotes (RFC 8259, section 7); what is not UTF-8 in it becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

/// Writes a listing in pieces, so that it is never in memory as a whole.
///
/// As JSON (RFC 8259), in one line with its end: `{"path":"/DIR/","entries":[{"name":"sub",
/// "type":"directory","modified":"..."},{"name":"a.bin","type":"file","size":1048576,
/// "modified":"2026-11-22T10:00:00Z"}]}`. Behind the entries stand `"page"` and `"pages"` where
/// there is a page, `"unlisted"` and `"omitted"` where these are not 0 (folder_contents). What is
/// not UTF-8 in a name becomes U+FFFD. As a page: see listing_page.hpp.
class listing_writer {
 public:
    enum class form : std::uint8_t { json, page };

    listing_writer(listing what, form how);

    /// Appends to `out` until `piece` bytes or a little more have been added, or all of it has been
    /// given. False when there is no more. About a microsecond an entry.
    bool next(std::string& out, std::size_t piece);
    /// Bytes of all of it, from its beginning: takes as long as to write it.
    [[nodiscard]] static std::uint64_t length(const listing& what, form how);
    /// How long a beginning, an end and one entry may be, in bytes.
    static constexpr std::size_t longest_addition = std::size_t{24} * 1024;

 private:
    enum class stage : std::uint8_t { beginning, entries, done };

    listing what_;
    form form_;
    stage stage_ = stage::beginning;
    std::size_t at_;
};

}  // namespace sluice::files
