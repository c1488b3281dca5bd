// Conditional requests (RFC 9110, section 13): what a resource is known by, and whether it holds.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "sluice/files/server/reply_text.hpp"
#include "sluice/http/request.hpp"

namespace sluice::files {

/// What a request's conditions are compared with.
struct validators {
    std::string tag = {};  ///< with its quotes; empty where the resource has none
    /// None where it is not known when the resource changed: dates then say nothing.
    std::optional<std::chrono::sys_seconds> modified = {};
};

enum class condition : std::uint8_t { holds, not_modified, failed };

/// Whether the request's conditions let it go on (RFC 9110, section 13.2.2); `there` is what has
/// the name, nullptr if nothing has.
[[nodiscard]] condition judge_conditions(const http::http_request& request, const validators* there,
                                         bool is_read);
/// The same for a file.
[[nodiscard]] condition judge_conditions(const http::http_request& request,
                                         const struct stat* there, bool is_read);

/// `"INODE-SIZE-TIME"`: another file, or the same one changed, has another.
void add_entity_tag(reply_text& to, const struct stat& file) noexcept;
[[nodiscard]] std::string entity_tag_of(const struct stat& file);

/// When a file changed, as its Last-Modified says: a time that lies ahead is that of the answer
/// (RFC 9110, section 8.8.2.1).
[[nodiscard]] std::chrono::sys_seconds last_modified(const struct stat& file) noexcept;

/// The wall clock, a tick of the kernel old at most (clock_gettime(2), CLOCK_REALTIME_COARSE).
[[nodiscard]] std::chrono::sys_seconds wall_clock() noexcept;

}  // namespace sluice::files
