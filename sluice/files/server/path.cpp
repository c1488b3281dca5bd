// Implements the validation of paths and names.
#include "sluice/files/server/path.hpp"

#include "sluice/wire/text.hpp"

namespace sluice::files {
namespace {

constexpr std::size_t longest_name = 255;
constexpr std::size_t longest_path = 4095;

}  // namespace

std::string why_no_file_name(std::string_view name) {
    if (name.empty()) return "a file has a name";
    if (name.size() > longest_name) return "a name has at most 255 bytes";
    if (name.front() == '.') return "a name does not begin with a dot";
    if (name.find('/') != std::string_view::npos) return "a name has no slash";
    if (!wire::is_valid_utf8(name)) return "a name is UTF-8 text";
    if (!wire::is_printable(name) || name.find('\t') != std::string_view::npos) {
        return "a name has no control characters";
    }
    return {};
}

path_check judge_path(std::string_view path) {
    if (path.size() > longest_path) {
        return {.fault = path_fault::too_long, .why = "a path has at most 4095 bytes"};
    }
    bool hidden = false;
    for (std::string_view left = path;;) {
        const auto slash = left.find('/');
        const auto name = left.substr(0, slash);
        if (name.empty()) {
            return {.fault = path_fault::no_name,
                    .why =
                        "a path is names with one slash between each two: leave the second of "
                        "two slashes out"};
        }
        if (name == "." || name == "..") {
            return {.fault = path_fault::no_name,
                    .why = "a path is taken as it is written: . and .. are not resolved here"};
        }
        if (auto why = why_no_file_name(name); !why.empty()) {
            const bool only_hidden = name.starts_with('.') &&
                                     why_no_file_name("_" + std::string{name.substr(1)}).empty();
            if (!only_hidden) return {.fault = path_fault::no_name, .why = std::move(why)};
            hidden = true;
        }
        if (slash == std::string_view::npos) break;
        left.remove_prefix(slash + 1);
    }
    if (hidden) return {.fault = path_fault::hidden, .why = "a name does not begin with a dot"};
    return {};
}

}  // namespace sluice::files
