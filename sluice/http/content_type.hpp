// What kind of content a file has, by its name.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::http {

/// The media type for the extension of `name`, in either case: `text/html; charset=utf-8`,
/// `image/png`; `application/octet-stream` for what is not known. Debian's media-types knows them,
/// where the library is built.
[[nodiscard]] std::string_view content_type_of(std::string_view name) noexcept;

/// More bytes than that no type has here.
inline constexpr std::size_t longest_media_type = 255;
/// Whether `text` is a media type (RFC 9110, section 8.3.1): `TYPE/SUBTYPE`, and parameters.
[[nodiscard]] bool is_media_type(std::string_view text) noexcept;

}  // namespace sluice::http
