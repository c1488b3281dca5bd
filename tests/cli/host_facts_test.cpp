// The facts of a host from its files: made-up ones for what this machine has not.
#include "sluice/cli/doctor/host_facts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace sluice::cli {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;

/// A root directory with the files a test puts there.
class machine_files : public ::testing::Test {
 public:
    machine_files() { std::filesystem::create_directories(root_); }
    ~machine_files() override {
        std::error_code ignored;
        std::filesystem::remove_all(root_, ignored);
    }
    machine_files(const machine_files&) = delete;
    machine_files& operator=(const machine_files&) = delete;

 protected:
    void put(std::string_view path, std::string_view text) {
        const auto file = root_ / path;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream{file} << text;
    }
    [[nodiscard]] machine read() const { return read_machine(root_); }

    /// Version 2 of cgroups as a container sees them.
    void mount_second_version() {
        put("proc/self/mountinfo",
            "23 1 0:1 / / rw - ext4 /dev/vda rw\n"
            "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw\n");
    }

 private:
    std::filesystem::path root_ = std::filesystem::path{::testing::TempDir()} /
                                  ("sluice-machine-" + std::to_string(::getpid()));
};

TEST_F(machine_files, reads_plain_settings) {
    put("sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n");
    put("sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n");
    put("proc/meminfo", "MemTotal:       16384 kB\nMemFree: 1 kB\n");
    put("proc/sys/fs/pipe-max-size", "65536\n");
    put("proc/sys/net/core/somaxconn", "128\n");
    put("proc/sys/net/ipv4/tcp_max_syn_backlog", "64\n");
    put("proc/sys/net/ipv4/ip_local_port_range", "1024\t2047\n");
    put("proc/sys/net/ipv4/tcp_congestion_control", "reno\n");
    put("proc/sys/net/ipv4/tcp_available_ulp", "espintcp mptcp tls\n");
    put("proc/sys/net/ipv4/tcp_available_congestion_control", "reno cubic\n");
    put("proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n");
    put("proc/sys/net/ipv4/tcp_wmem", "4096\t16384\t4194304\n");
    put("proc/self/cgroup", "0::/\n");
    const auto found = read();
    EXPECT_EQ(found.clock, "hpet");
    EXPECT_EQ(found.huge_pages, "never");
    EXPECT_EQ(found.memory, 16384U * 1024);
    EXPECT_EQ(found.pipe_size, 65536U);
    EXPECT_EQ(found.backlog, 128U);
    EXPECT_EQ(found.syn_backlog, 64U);
    ASSERT_TRUE(found.ephemeral_ports);
    EXPECT_EQ(found.ephemeral_ports->first, 1024U);
    EXPECT_EQ(found.ephemeral_ports->last, 2047U);
    EXPECT_EQ(found.congestion_control, "reno");
    EXPECT_EQ(found.kernel_tls, true);
    EXPECT_THAT(found.congestion_controls.value(), ElementsAre("reno", "cubic"));
    EXPECT_EQ(found.receive_buffer, 6291456U);
    EXPECT_EQ(found.send_buffer, 4194304U);
    EXPECT_FALSE(found.page_reporting);
    EXPECT_THAT(found.unreadable, IsEmpty());
}

TEST_F(machine_files, what_is_missing_is_empty_and_named) {
    const auto found = read();
    EXPECT_FALSE(found.clock);
    EXPECT_FALSE(found.memory);
    EXPECT_FALSE(found.backlog);
    EXPECT_FALSE(found.ephemeral_ports);
    EXPECT_FALSE(found.congestion_control);
    EXPECT_FALSE(found.quota);
    EXPECT_FALSE(found.cgroup_memory);
    EXPECT_THAT(found.unreadable,
                IsSupersetOf({"/proc/sys/net/core/somaxconn", "/proc/meminfo", "/proc/self/cgroup",
                              "/proc/sys/net/ipv4/tcp_rmem"}));
    const auto twice = std::ranges::adjacent_find(found.unreadable);
    EXPECT_EQ(twice, found.unreadable.end()) << *twice << " is named twice";
    EXPECT_TRUE(found.open_files) << "limits come from the process itself";
    EXPECT_TRUE(found.usable_cores);
}

TEST_F(machine_files, nonsense_counts_as_unreadable) {
    put("proc/sys/net/core/somaxconn", "many\n");
    put("proc/sys/net/ipv4/ip_local_port_range", "60999 32768\n");
    const auto found = read();
    EXPECT_FALSE(found.backlog);
    EXPECT_FALSE(found.ephemeral_ports);
    EXPECT_THAT(found.unreadable, Contains("/proc/sys/net/core/somaxconn"));
}

TEST_F(machine_files, a_balloon_that_reports_free_pages_is_seen) {
    const std::string none(64, '0');
    auto reporting = none;
    reporting[5] = '1';
    put("sys/bus/virtio/drivers/virtio_balloon/bind", "");
    put("sys/bus/virtio/drivers/virtio_balloon/virtio3/features", none + "\n");
    EXPECT_FALSE(read().page_reporting);
    put("sys/bus/virtio/drivers/virtio_balloon/virtio3/features", reporting + "\n");
    EXPECT_TRUE(read().page_reporting);
}

TEST_F(machine_files, the_tightest_quota_of_the_second_version_counts) {
    mount_second_version();
    put("proc/self/cgroup", "0::/a/b/c\n");
    put("sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
    put("sys/fs/cgroup/a/b/cpu.max", "150000 100000\n");
    put("sys/fs/cgroup/a/cpu.max", "400000 100000\n");
    put("sys/fs/cgroup/a/b/c/pids.max", "max\n");
    put("sys/fs/cgroup/a/b/pids.max", "40\n");
    put("sys/fs/cgroup/a/pids.max", "100\n");
    put("sys/fs/cgroup/a/b/c/memory.max", "1048576\n");
    const auto found = read();
    ASSERT_TRUE(found.quota);
    EXPECT_DOUBLE_EQ(*found.quota, 1.5);
    EXPECT_EQ(found.cgroup_processes, (amount{40, false}));
    EXPECT_EQ(found.cgroup_memory, (amount{1048576, false}));
}

TEST_F(machine_files, a_container_sees_its_limits_at_the_mount) {
    mount_second_version();
    put("proc/self/cgroup", "0::/\n");
    put("sys/fs/cgroup/cpu.max", "50000 100000\n");
    EXPECT_DOUBLE_EQ(read().quota.value(), 0.5);
}

TEST_F(machine_files, the_first_version_is_found_by_its_controller) {
    put("proc/self/mountinfo",
        "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
        "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
    put("proc/self/cgroup", "4:memory:/jobs\n2:cpu,cpuacct:/jobs/one\n0::/elsewhere\n");
    put("sys/fs/cgroup/cpu,cpuacct/jobs/one/cpu.cfs_quota_us", "-1\n");
    put("sys/fs/cgroup/cpu,cpuacct/jobs/one/cpu.cfs_period_us", "100000\n");
    put("sys/fs/cgroup/cpu,cpuacct/jobs/cpu.cfs_quota_us", "250000\n");
    put("sys/fs/cgroup/cpu,cpuacct/jobs/cpu.cfs_period_us", "100000\n");
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    const auto found = read();
    EXPECT_DOUBLE_EQ(found.quota.value(), 2.5);
    EXPECT_EQ(found.cgroup_memory, (amount{0, true}));
}

TEST_F(machine_files, a_container_without_a_namespace_of_its_own_looks_below_its_mount) {
    put("proc/self/mountinfo",
        "32 31 0:29 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n");
    put("proc/self/cgroup", "2:cpu:/docker/abc/inner\n");
    put("sys/fs/cgroup/cpu/inner/cpu.cfs_quota_us", "50000\n");
    put("sys/fs/cgroup/cpu/inner/cpu.cfs_period_us", "100000\n");
    EXPECT_DOUBLE_EQ(read().quota.value(), 0.5);
    put("proc/self/cgroup", "2:cpu:/elsewhere\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "25000\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    EXPECT_DOUBLE_EQ(read().quota.value(), 0.25);
}

TEST_F(machine_files, no_quota_is_infinite) {
    put("proc/self/cgroup", "0::/\n");
    EXPECT_TRUE(std::isinf(read().quota.value()));
}

TEST(machine, this_one_can_be_read) {
    const auto found = read_machine();
    EXPECT_THAT(found.release, Not(IsEmpty()));
    EXPECT_THAT(found.architecture, Not(IsEmpty()));
    ASSERT_TRUE(found.usable_cores);
    ASSERT_TRUE(found.cores);
    EXPECT_GE(*found.usable_cores, 1U);
    EXPECT_LE(*found.usable_cores, *found.cores);
}

}  // namespace
}  // namespace sluice::cli
