// Media types by file name, and validation of media types.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::http {

/// The media type for the extension of `name`, in either case: `text/html; charset=utf-8`,
/// `image/png`; `application/octet-stream` for an unknown one. The table is that of Debian's
/// media-types at build time, with overrides.
[[nodiscard]] std::string_view content_type_of(std::string_view name) noexcept;

/// Longest media type that is_media_type() accepts, in bytes.
inline constexpr std::size_t longest_media_type = 255;
/// Whether `text` is a media type (RFC 9110, section 8.3.1), with or without parameters.
[[nodiscard]] bool is_media_type(std::string_view text) noexcept;

}  // namespace sluice::http
