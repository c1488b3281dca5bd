// Users by name, and a change to one of them.
#pragma once

#include <sys/types.h>

#include <expected>
#include <string>
#include <vector>

#include "sluice/base/result.hpp"

namespace sluice::sandbox {

/// A user with the groups of which he is a member.
struct user {
    std::string name;
    uid_t id = 0;
    gid_t group = 0;
    std::vector<gid_t> groups;
};

/// Looks up a user by name, in /etc/passwd and where else nsswitch.conf(5) says. Blocks. The error
/// is a sentence without its full stop.
[[nodiscard]] std::expected<user, std::string> find_user(const std::string& name);

/// Makes the calling thread `wanted`, with his groups, for good; a change from root takes all
/// capabilities with it. Other threads stay what they are. Needs CAP_SETUID and CAP_SETGID. The
/// errno of setgroups(2), setresgid(2) or setresuid(2).
[[nodiscard]] result<void> become(const user& wanted) noexcept;

}  // namespace sluice::sandbox
