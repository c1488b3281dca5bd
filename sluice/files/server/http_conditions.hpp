// Conditional requests (RFC 9110, section 13): entity tags, dates and their evaluation.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "sluice/files/server/reply_text.hpp"
#include "sluice/http/request.hpp"

namespace sluice::files {

/// Validators of a resource, with which the conditions of a request are compared.
struct validators {
    std::string tag = {};  ///< with its quotes; empty where the resource has none
    /// None where the time of change is unknown: conditions on dates are ignored then.
    std::optional<std::chrono::sys_seconds> modified = {};
};

enum class condition : std::uint8_t { holds, not_modified, failed };

/// Evaluates the conditions of the request (RFC 9110, section 13.2.2); `there` is the resource of
/// this name, nullptr if there is none. `is_read`: GET or HEAD.
[[nodiscard]] condition judge_conditions(const http::http_request& request, const validators* there,
                                         bool is_read);
/// The same for a file.
[[nodiscard]] condition judge_conditions(const http::http_request& request,
                                         const struct stat* there, bool is_read);

/// `"INODE-SIZE-TIME"`: differs for another file, and for the same one after a change.
void add_entity_tag(reply_text& to, const struct stat& file) noexcept;
[[nodiscard]] std::string entity_tag_of(const struct stat& file);

/// Time of change for Last-Modified; a time in the future becomes that of the response (RFC 9110,
/// section 8.8.2.1).
[[nodiscard]] std::chrono::sys_seconds last_modified(const struct stat& file) noexcept;

/// The wall clock.
[[nodiscard]] std::chrono::sys_seconds wall_clock() noexcept;

}  // namespace sluice::files
