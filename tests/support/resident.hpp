// How much memory this process has of its own.
#pragma once

#include <cstddef>
#include <fstream>
#include <string>

namespace sluice::test {

inline constexpr std::size_t mib = std::size_t{1} << 20;

/// In bytes: RssAnon of proc_pid_status(5).
inline std::size_t resident() {
    std::ifstream status{"/proc/self/status"};
    std::string word;
    while (status >> word && word != "RssAnon:") {
    }
    std::size_t kib = 0;
    status >> kib;
    return kib * 1024;
}

}  // namespace sluice::test
