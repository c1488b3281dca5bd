// Implements state_directory() by the variables of the environment.
#include "sluice/cli/state_directory.hpp"

#include <fcntl.h>

#include <cerrno>
#include <cstdlib>
#include <string_view>

#include "sluice/os/kernel.hpp"

namespace sluice::cli {
namespace {

std::string_view variable(const char* name) noexcept {
    const char* const value = std::getenv(name);
    return value == nullptr ? std::string_view{} : value;
}

std::string chosen_path() {
    // Of several, the first (systemd.exec(5)).
    if (const auto given = variable("STATE_DIRECTORY"); !given.empty()) {
        return std::string{given.substr(0, given.find(':'))};
    }
    if (const auto base = variable("XDG_STATE_HOME"); base.starts_with('/')) {
        return std::string{base} + "/sluice";
    }
    if (const auto home = variable("HOME"); home.starts_with('/') && home != "/") {
        return std::string{home} + "/.local/state/sluice";
    }
    return "/var/lib/sluice";
}

}  // namespace

result<std::string> state_directory() {
    std::string path = chosen_path();
    for (auto slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
        const std::string part = path.substr(0, slash);
        const int failed = os::sys().mkdirat(AT_FDCWD, part.c_str(), 0700);
        if (failed < 0 && failed != -EEXIST) return failure_of(-failed);
        if (slash == std::string::npos) return path;
    }
}

}  // namespace sluice::cli
