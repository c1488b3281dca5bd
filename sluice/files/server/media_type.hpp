// Media type of a stored file: that of its upload, else that of the extension of its name.
#pragma once

#include <sys/stat.h>

#include <string>
#include <string_view>

#include "sluice/base/result.hpp"

namespace sluice::files {

/// Stores `type` beside the file, as freedesktop.org's Shared MIME-info Database has it (an
/// extended attribute, `user.mime_type`: xattr(7)). Errno of fsetxattr(2): ENOTSUP where the file
/// system has no attributes.
[[nodiscard]] result<void> keep_media_type(int file, std::string_view type) noexcept;

/// The stored type, if it is valid, else that of the extension of `path`. No system call for a file
/// in a state in which this thread has found no type. Views `buffer`, or static text.
[[nodiscard]] std::string_view media_type_of(int file, const struct stat& now,
                                             std::string_view path, std::string& buffer);

/// Whether a media type is that of a PDF, with any parameters.
[[nodiscard]] bool is_pdf(std::string_view type) noexcept;

}  // namespace sluice::files
