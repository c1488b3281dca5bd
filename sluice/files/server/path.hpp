// Which paths can name a file in a store.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::files {

/// Why `name` cannot be the name of a file here, as a sentence for whoever tried; empty if it can:
/// 1 to 255 bytes of UTF-8 without controls, no slash, and no dot in front, for such names are
/// hidden and some of them are ours.
[[nodiscard]] std::string why_no_file_name(std::string_view name);

/// What is wrong with a path.
enum class path_fault : std::uint8_t {
    none,
    hidden,    ///< a name in it begins with a dot, and is neither `.` nor `..`
    too_long,  ///< in all; a single name that is too long is `no_name`
    no_name,   ///< a part of it is no name
};
struct path_verdict {
    path_fault fault = path_fault::none;
    std::string why = {};  ///< a sentence without its full stop; empty if nothing is wrong
};

/// `path` is names with a slash between each two of them, below the store: `a/b.txt`. At most
/// 4,095 bytes in all (path_resolution(7)).
[[nodiscard]] path_verdict judge_path(std::string_view path);

/// A path's last name, and what leads there; empty where it is in the store itself.
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
