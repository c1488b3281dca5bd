// Takes what the system grants.
#include "sluice/cli/open_files.hpp"

#include <sys/resource.h>

#include <utility>

namespace sluice::cli {

std::size_t raise_open_files() noexcept {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    const auto before = std::exchange(limit.rlim_cur, limit.rlim_max);
    return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : before;
}

}  // namespace sluice::cli
