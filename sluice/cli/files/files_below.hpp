// The files in a directory and those below it.
#pragma once

#include <string>
#include <vector>

namespace sluice::cli {

/// What is found below a directory. Names begin below it, and are sorted.
struct files_below {
    /// A name, and why nothing can be sent of it.
    struct omission {
        std::string name;  ///< empty: the directory itself
        std::string why;
    };
    std::vector<std::string> regular;
    std::vector<omission> omitted;
};

/// Looks at `directory` and all directories in it; symbolic links are not followed. One descriptor
/// beside that of `directory` is open at a time, however deep it is. Blocks. Throws std::bad_alloc.
[[nodiscard]] files_below find_files_below(const std::string& directory);

}  // namespace sluice::cli
