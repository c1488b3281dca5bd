// Implements the text of `sluice --version`. The build gives the parts (cmake/build_info.cmake).
#include "sluice/cli/build_info.hpp"

#include <features.h>
#include <fmt/format.h>

#include <array>
#include <string_view>

#include "sluice/io/engine.hpp"

namespace sluice::cli {
namespace {

constexpr std::string_view commit =
#include "commit.inc"
    ;

}  // namespace

std::string describe_build() {
    constexpr std::array engines{io::engine_kind::blocking, io::engine_kind::epoll,
                                 io::engine_kind::uring};
    std::string names;
    for (const auto each : engines) {
        if (!names.empty()) names += ", ";
        names += io::to_text(each);
    }
    return fmt::format(
        "sluice {}\ncommit: {}\nbuilt with: {}, glibc {}.{}\nlibraries: {}\nengines: {}",
        SLUICE_VERSION, commit, SLUICE_BUILT_WITH, __GLIBC__, __GLIBC_MINOR__, SLUICE_BUILT_ON,
        names);
}

}  // namespace sluice::cli
