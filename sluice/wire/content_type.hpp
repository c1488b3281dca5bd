// What kind of content a file has, by its name.
#pragma once

#include <string_view>

namespace sluice::wire {

/// The media type for the extension of `name`, in either case: `text/html; charset=utf-8`,
/// `image/png`; `application/octet-stream` for what is not known.
[[nodiscard]] std::string_view content_type_of(std::string_view name) noexcept;

}  // namespace sluice::wire
