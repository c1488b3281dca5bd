// The name of this machine.
#pragma once

#include <sys/utsname.h>

#include <string>

#include "sluice/os/kernel.hpp"

namespace sluice::os {

/// As uname(2) says it, perhaps with its domain; empty if it cannot be read.
[[nodiscard]] inline std::string host_name() {
    utsname about{};
    return sys().uname(about) < 0 ? std::string{} : std::string{std::begin(about.nodename)};
}

}  // namespace sluice::os
