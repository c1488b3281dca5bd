// The media type of a stored file: what came with it, else what its name says.
#pragma once

#include <sys/stat.h>

#include <string>
#include <string_view>

#include "sluice/base/result.hpp"

namespace sluice::files {

/// Keeps `type` beside the file, as freedesktop.org's Shared MIME-info Database has it (an extended
/// attribute, `user.mime_type`: xattr(7)). Errno of fsetxattr(2): ENOTSUP where the file system has
/// no such thing.
[[nodiscard]] result<void> keep_media_type(int file, std::string_view type) noexcept;

/// The type that is kept, if it is one, else that of the extension of `path`. Costs no call for a
/// file that this thread has found without one in this state. Views `room`, or what stays.
[[nodiscard]] std::string_view media_type_of(int file, const struct stat& now,
                                             std::string_view path, std::string& room);

/// Whether a media type is that of a PDF, whatever its parameters.
[[nodiscard]] bool is_pdf(std::string_view type) noexcept;

}  // namespace sluice::files
