// Validation of the paths and names of files in a store.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::files {

/// Why `name` cannot be the name of a file here, as a sentence for the client; empty if it can: 1
/// to 255 bytes of UTF-8 without control characters, no slash, and no leading dot, for such names
/// are hidden and the store uses some of them.
[[nodiscard]] std::string why_no_file_name(std::string_view name);

/// Faults of a path.
enum class path_fault : std::uint8_t {
    none,
    hidden,    ///< a name in it begins with a dot, and is neither `.` nor `..`
    too_long,  ///< the whole path; a single name that is too long is `no_name`
    no_name,   ///< a part of it is no valid name
};
struct path_check {
    path_fault fault = path_fault::none;
    std::string why = {};  ///< a sentence without its full stop; empty if nothing is wrong
};

/// `path` is names separated by single slashes, below the store: `a/b.txt`. At most 4,095 bytes in
/// all (path_resolution(7)).
[[nodiscard]] path_check judge_path(std::string_view path);

/// The last name of a path, and its directory; empty for the store itself.
struct split_path {
    std::string_view folder;
    std::string_view name;
};
[[nodiscard]] constexpr split_path split(std::string_view path) noexcept {
    const auto slash = path.rfind('/');
    if (slash == std::string_view::npos) return {.folder = {}, .name = path};
    return {.folder = path.substr(0, slash), .name = path.substr(slash + 1)};
}

}  // namespace sluice::files
