// Assigns CPU cores to the server and to the load.
#pragma once

#include <string>
#include <vector>

namespace sluice::lab {

struct core_layout {
    std::vector<int> all;       ///< cores that this process may use
    int server = 0;             ///< core of a server with one thread
    int load = 0;               ///< core of the load; not an SMT sibling of `server` if possible
    std::vector<int> but_load;  ///< cores of a server with many threads: all but the load's
    bool one_only = false;      ///< there is one core, and server and load share it
};

/// Reads the affinity mask of this process and the SMT topology.
[[nodiscard]] core_layout lay_out_cores();

/// "0,1", as taskset(1) takes it.
[[nodiscard]] std::string to_text(const std::vector<int>& cores);

}  // namespace sluice::lab
