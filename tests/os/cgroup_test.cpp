// The CPU quota of cgroups in files that a test made up.
#include "sluice/os/cgroup.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace sluice {
namespace {

using files = std::map<std::string, std::string>;

double quota_in(const files& all) {
    return cpu_quota([&all](const std::filesystem::path& path) -> std::optional<std::string> {
        const auto found = all.find(path.string());
        if (found == all.end()) return std::nullopt;
        return found->second;
    });
}

TEST(cgroup, the_first_version_has_two_files) {
    const auto with = [](const std::string& quota) {
        return quota_in({{"/proc/self/cgroup", "3:cpu,cpuacct:/one\n"},
                         {"/proc/self/mountinfo",
                          "30 23 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"},
                         {"/sys/fs/cgroup/cpu/one/cpu.cfs_quota_us", quota},
                         {"/sys/fs/cgroup/cpu/one/cpu.cfs_period_us", "100000\n"}});
    };
    EXPECT_DOUBLE_EQ(with("150000\n"), 1.5);
    EXPECT_TRUE(std::isinf(with("-1\n")));
}

TEST(cgroup, the_second_version_has_one) {
    const auto with = [](const std::string& limit) {
        return quota_in(
            {{"/proc/self/cgroup", "0::/one/two\n"},
             {"/proc/self/mountinfo", "30 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"},
             {"/sys/fs/cgroup/one/cpu.max", limit}});
    };
    EXPECT_DOUBLE_EQ(with("50000 100000\n"), 0.5);
    EXPECT_TRUE(std::isinf(with("max 100000\n")));
}

TEST(cgroup, nothing_to_read_is_no_quota) {
    EXPECT_TRUE(std::isinf(quota_in({})));
}

TEST(cgroup, reads_the_files_of_this_machine) {
    EXPECT_FALSE(read_small_file("/proc/self/cgroup").value_or("").empty());
    EXPECT_FALSE(read_small_file("/proc/self/no-such-file"));
}

}  // namespace
}  // namespace sluice
