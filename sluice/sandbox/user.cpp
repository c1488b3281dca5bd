// Implements the look-up of users by getpwnam_r(3), and the change by setresuid(2).
#include "sluice/sandbox/user.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <cstddef>

#include "sluice/os/kernel.hpp"

namespace sluice::sandbox {

std::expected<user, std::string> find_user(const std::string& name) {
    std::vector<char> memory(std::size_t{16} << 10);
    passwd entry{};
    passwd* found = nullptr;
    int failed = 0;
    while ((failed = ::getpwnam_r(name.c_str(), &entry, memory.data(), memory.size(), &found)) ==
           ERANGE) {
        memory.resize(2 * memory.size());
    }
    if (found == nullptr) {
        return std::unexpected{failed == 0 ? fmt::format("there is no user '{}'", name)
                                           : fmt::format("cannot look up the user '{}': {}", name,
                                                         error::system(failed).message())};
    }
    user all{.name = name, .id = entry.pw_uid, .group = entry.pw_gid, .groups = {}};
    int count = 64;
    all.groups.resize(static_cast<std::size_t>(count));
    while (::getgrouplist(name.c_str(), entry.pw_gid, all.groups.data(), &count) < 0) {
        all.groups.resize(2 * all.groups.size());
        count = static_cast<int>(all.groups.size());
    }
    all.groups.resize(static_cast<std::size_t>(count));
    return all;
}

result<void> become(const user& wanted) noexcept {
    os::kernel& sys = os::sys();
    // The user comes last: the other two need root.
    if (const int failed = sys.setgroups(wanted.groups); failed < 0) return failure_of(-failed);
    if (const int failed = sys.setgid(wanted.group); failed < 0) return failure_of(-failed);
    if (const int failed = sys.setuid(wanted.id); failed < 0) return failure_of(-failed);
    return {};
}

}  // namespace sluice::sandbox
