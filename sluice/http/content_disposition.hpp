// Formats a Content-Disposition field that makes browsers save a file (RFC 6266).
#pragma once

#include <string>
#include <string_view>

namespace sluice::http {

/// `attachment; filename="a.bin"`, and `filename*=UTF-8''...` (RFC 8187) after it where the plain
/// form cannot hold the name. `name` is UTF-8 without controls.
[[nodiscard]] std::string attachment_named(std::string_view name);

}  // namespace sluice::http
