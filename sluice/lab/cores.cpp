// Implements lay_out_cores(): sched_getaffinity(2) and thread_siblings_list in sysfs.
#include "sluice/lab/cores.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "sluice/os/kernel.hpp"

namespace sluice::lab {
namespace {

/// Reads a list of cores as the kernel writes it: "0-1,4".
std::set<int> read_list(const std::string& path) {
    std::ifstream file{path};
    std::set<int> found;
    for (std::string part; std::getline(file, part, ',');) {
        std::istringstream words{part};
        int first = 0;
        if (!(words >> first)) continue;
        int last = first;
        if (words.get() == '-') words >> last;
        for (int core = first; core <= last; ++core) found.insert(core);
    }
    return found;
}

}  // namespace

core_layout lay_out_cores() {
    core_layout found;
    cpu_set_t mask;
    CPU_ZERO(&mask);
    os::sys().sched_getaffinity(mask);
    for (int core = 0; core < CPU_SETSIZE; ++core) {
        if (CPU_ISSET(static_cast<std::size_t>(core), &mask)) found.all.push_back(core);
    }
    if (found.all.empty()) found.all.push_back(0);
    found.server = found.all.back();
    found.load = found.all.front();
    found.one_only = found.all.size() == 1;
    const auto siblings = read_list(
        fmt::format("/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", found.server));
    const auto apart =
        std::ranges::find_if(found.all, [&](int core) { return !siblings.contains(core); });
    if (apart != found.all.end()) found.load = *apart;
    for (const int core : found.all) {
        if (core != found.load) found.but_load.push_back(core);
    }
    if (found.but_load.empty()) found.but_load = found.all;
    return found;
}

std::string to_text(const std::vector<int>& cores) {
    return fmt::format("{}", fmt::join(cores, ","));
}

}  // namespace sluice::lab
