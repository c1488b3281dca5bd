// The field that makes a browser save a file under its name (RFC 6266).
#pragma once

#include <string>
#include <string_view>

namespace sluice::http {

/// `attachment; filename="a.bin"`; with `filename*=UTF-8''...` (RFC 8187) beside it where the name
/// is not all plain ASCII. `name` is UTF-8 without controls.
[[nodiscard]] std::string attachment_named(std::string_view name);

}  // namespace sluice::http
