// How many descriptors this process may open.
#pragma once

#include <cstddef>

namespace sluice::cli {

/// Raises the soft limit of open files to the hard one (getrlimit(2), RLIMIT_NOFILE), which is what
/// a server of many connections needs and costs nobody anything. Gives the limit that then holds.
std::size_t raise_open_files() noexcept;

}  // namespace sluice::cli
