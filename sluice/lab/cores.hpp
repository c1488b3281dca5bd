// Which cores the server has, and which the load.
#pragma once

#include <string>
#include <vector>

namespace sluice::lab {

struct core_layout {
    std::vector<int> all;       ///< that this process may use
    int server = 0;             ///< one for a server of one thread
    int load = 0;               ///< one for the load; no sibling of the other if that can be had
    std::vector<int> but_load;  ///< for servers that are to have many: all but the load's
    bool one_only = false;      ///< server and load share the only one there is
};

/// Reads the affinity mask and the topology of the machine.
[[nodiscard]] core_layout lay_out_cores();

/// "0,1" for taskset(1) and people.
[[nodiscard]] std::string to_text(const std::vector<int>& cores);

}  // namespace sluice::lab
