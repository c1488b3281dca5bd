// What a directory holds, for those who look into it, and as JSON.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace sluice::service::files {

/// One name in a directory.
struct listing_entry {
    std::string name;  ///< as the file system has it: any bytes but the slash and NUL
    bool directory = false;
    std::uint64_t size = 0;  ///< in bytes; of a directory nothing is said
    std::chrono::sys_seconds modified;
};

/// A directory, and what whoever looks into it may do there.
struct listing {
    std::string path;  ///< from the root of what is served, neither encoded nor escaped: "/DIR/"
    std::vector<listing_entry> entries;  ///< in any order
    bool may_upload = false;
    bool may_delete = false;
};

/// The entries as people look for them: directories first, then by name. They live in `what`.
[[nodiscard]] std::vector<const listing_entry*> in_order(const listing& what);

/// "2026-11-22T10:00:00Z" (RFC 3339).
[[nodiscard]] std::string timestamp(std::chrono::sys_seconds when);

/// `{"path":"/DIR/","entries":[{"name":"sub","type":"directory","modified":"..."},
/// {"name":"a.bin","type":"file","size":1048576,"modified":"2026-11-22T10:00:00Z"}]}` (RFC 8259) in
/// one line with its end, in order. What is not UTF-8 in a name becomes U+FFFD.
[[nodiscard]] std::string listing_json(const listing& what);

}  // namespace sluice::service::files
