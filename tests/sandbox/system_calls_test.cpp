// The table of system calls: names that libseccomp knows, and none that is allowed and dangerous.
#include "sluice/sandbox/system_calls.hpp"

#include <gtest/gtest.h>
#include <seccomp.h>

#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace sluice::sandbox {
namespace {

std::vector<std::string> words_of(std::string_view text) {
    std::istringstream in{std::string{text}};
    std::vector<std::string> all;
    for (std::string each; in >> each;) all.push_back(each);
    return all;
}

bool is_known(const std::string& name) {
    // cachestat(2) is newer than libseccomp 2.5. A call of another machine has a negative number.
    return name == "cachestat" || ::seccomp_syscall_resolve_name(name.c_str()) != __NR_SCMP_ERROR;
}

TEST(system_calls, are_known) {
    for (const auto rows : {calls_of_kernel(), calls_of_library()}) {
        for (const auto& row : rows) {
            for (const auto& each : words_of(row.calls)) EXPECT_TRUE(is_known(each)) << each;
        }
    }
    // quotactl_fd(2) is newer, too.
    for (const auto& each : words_of(dangerous_calls())) {
        EXPECT_TRUE(is_known(each) || each == "quotactl_fd") << each;
    }
    EXPECT_FALSE(is_known("no_such_call"));
}

TEST(system_calls, that_are_dangerous_are_needed_by_few) {
    const auto dangerous = words_of(dangerous_calls());
    const std::set<std::string> all{dangerous.begin(), dangerous.end()};
    EXPECT_EQ(all.size(), dangerous.size()) << "one stands there twice";
    for (const auto rows : {calls_of_kernel(), calls_of_library()}) {
        for (const auto& row : rows) {
            for (const auto& each : words_of(row.calls)) {
                if (!all.contains(each) || row.who == need::startup) continue;
                EXPECT_EQ(each, "io_uring_setup") << row.function;
                EXPECT_EQ(row.who, need::new_ring);
            }
        }
    }
    for (const auto& each : words_of(calls_refused_to_programs())) {
        EXPECT_TRUE(all.contains(each) || each.starts_with("io_uring_")) << each;
    }
}

}  // namespace
}  // namespace sluice::sandbox
