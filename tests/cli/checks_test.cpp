// The doctor's judgements: every fact has one, and the worrying ones say what to do.
#include "sluice/cli/doctor/checks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <set>
#include <string>
#include <string_view>

namespace sluice::cli {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr auto no_limit = std::numeric_limits<double>::infinity();

machine good_machine() {
    machine host;
    host.release = "6.1.0-20-amd64";
    host.architecture = "x86_64";
    host.clock = "tsc";
    host.huge_pages = "madvise";
    host.landlock = 3;
    host.system_call_filters = true;
    host.open_files = limit_pair{{65'536, false}, {1'048'576, false}};
    host.locked_memory = limit_pair{{0, true}, {0, true}};
    host.processes = limit_pair{{100'000, false}, {0, true}};
    host.cgroup_processes = amount{0, true};
    host.memory = 8ULL << 30U;
    host.cgroup_memory = amount{0, true};
    host.pipe_size = 1U << 20U;
    host.backlog = 4096;
    host.syn_backlog = 1024;
    host.ephemeral_ports = port_range{32768, 60999};
    host.congestion_control = "cubic";
    host.congestion_controls = {"reno", "cubic"};
    host.kernel_tls = false;
    host.receive_buffer = 6U << 20U;
    host.send_buffer = 4U << 20U;
    host.cores = 8;
    host.usable_cores = 8;
    host.quota = no_limit;
    return host;
}

io::uring_support good_uring() {
    io::uring_support uring;
    uring.usable = true;
    return uring;
}

finding judged(const machine& host, std::string_view key,
               const io::uring_support& uring = good_uring()) {
    const auto all = judge_machine(host, uring);
    const auto found = std::ranges::find(all, key, &finding::key);
    EXPECT_NE(found, all.end()) << key;
    return found == all.end() ? finding{} : *found;
}

TEST(findings, a_good_machine_is_all_well) {
    std::set<std::string> names;
    for (const auto& each : judge_machine(good_machine(), good_uring())) {
        EXPECT_EQ(each.result, mark::ok) << each.key;
        EXPECT_FALSE(each.value.is_null()) << each.key;
        EXPECT_THAT(each.shown, Not(IsEmpty())) << each.key;
        EXPECT_THAT(each.meaning, EndsWith(".")) << each.key;
        EXPECT_THAT(each.change, AllOf(Not(IsEmpty()), Not(EndsWith(".")))) << each.key;
        EXPECT_TRUE(names.insert(std::string{each.section} + "." + std::string{each.key}).second)
            << each.key << " stands twice";
    }
}

TEST(findings, what_could_not_be_read_is_null_and_unknown) {
    for (const auto& each : judge_machine({}, good_uring())) {
        if (each.section == "io_uring" || each.key == "release" || each.key == "page_reporting") {
            continue;  // these are always known
        }
        EXPECT_EQ(each.result, mark::unknown) << each.key;
        EXPECT_TRUE(each.value.is_null()) << each.key;
        EXPECT_EQ(each.shown, "unreadable") << each.key;
        EXPECT_THAT(each.meaning, EndsWith(".")) << each.key;
    }
}

TEST(findings, an_old_kernel_is_warned_of) {
    auto host = good_machine();
    for (const auto* old : {"5.10.0-20-amd64", "6.0.19", "4.19.0", "", "custom"}) {
        host.release = old;
        EXPECT_EQ(judged(host, "release").result, mark::warn) << old;
    }
    for (const auto* recent : {"6.1.0", "6.10.1", "7.0.0-rc1", "6.18.44-fc-v669"}) {
        host.release = recent;
        EXPECT_EQ(judged(host, "release").result, mark::ok) << recent;
    }
}

TEST(findings, a_slow_clock_and_a_leaking_balloon_are_warned_of) {
    auto host = good_machine();
    host.clock = "hpet";
    host.page_reporting = true;
    EXPECT_EQ(judged(host, "clock").result, mark::warn);
    EXPECT_EQ(judged(host, "page_reporting").result, mark::warn);
}

TEST(findings, io_uring_refused_has_its_cause_and_its_remedy) {
    io::uring_support refused;
    refused.why_not = "the gate is shut";
    refused.remedy = "open it";
    const auto found = judged(good_machine(), "usable", refused);
    EXPECT_EQ(found.result, mark::warn);
    EXPECT_EQ(found.value, false);
    EXPECT_EQ(found.meaning, "The gate is shut. --engine auto takes epoll.");
    EXPECT_EQ(found.change, "open it");
}

TEST(findings, few_open_files_are_a_warning_and_next_to_none_are_bad) {
    auto host = good_machine();
    host.open_files = limit_pair{{1024, false}, {524'288, false}};
    auto found = judged(host, "open_files");
    EXPECT_EQ(found.result, mark::warn);
    EXPECT_EQ(found.shown, "1,024 (at most 524,288)");
    EXPECT_THAT(found.change, HasSubstr("ulimit -n 65536"));
    EXPECT_THAT(found.change, Not(HasSubstr("root")));
    host.open_files = limit_pair{{64, false}, {64, false}};
    found = judged(host, "open_files");
    EXPECT_EQ(found.result, mark::bad);
    EXPECT_THAT(found.change, HasSubstr("as root: ulimit -n 65536"));
}

TEST(findings, the_smaller_of_two_limits_on_processes_counts) {
    auto host = good_machine();
    host.cgroup_processes = amount{50, false};
    auto found = judged(host, "processes");
    EXPECT_EQ(found.result, mark::bad);
    EXPECT_EQ(found.shown, "50");
    host.processes = limit_pair{{0, true}, {0, true}};
    EXPECT_EQ(judged(host, "processes").shown, "50");
    host.cgroup_processes = amount{0, true};
    EXPECT_EQ(judged(host, "processes").shown, "unlimited");
    EXPECT_EQ(judged(host, "processes").result, mark::ok);
}

TEST(findings, small_queues_and_few_ports_are_warned_of) {
    auto host = good_machine();
    host.backlog = 128;
    host.syn_backlog = 128;
    host.ephemeral_ports = port_range{60000, 62999};
    host.pipe_size = 65536;
    host.locked_memory = limit_pair{{65536, false}, {65536, false}};
    for (const auto* key :
         {"backlog", "syn_backlog", "ephemeral_ports", "pipe_size", "locked_memory"}) {
        EXPECT_EQ(judged(host, key).result, mark::warn) << key;
    }
    EXPECT_THAT(judged(host, "backlog").change, HasSubstr("somaxconn=4096"));
    const auto ports = judged(host, "ephemeral_ports");
    EXPECT_EQ(ports.value["count"], 3000);
    EXPECT_EQ(ports.value["connects_per_second"], 50);
    host.ephemeral_ports = port_range{60000, 60099};
    EXPECT_EQ(judged(host, "ephemeral_ports").result, mark::bad);
}

TEST(findings, a_change_never_lowers_what_is_high_already) {
    auto host = good_machine();
    host.backlog = 65'535;
    host.receive_buffer = 64U << 20U;
    EXPECT_THAT(judged(host, "backlog").change, HasSubstr("somaxconn=131070"));
    EXPECT_THAT(judged(host, "receive_buffer").change, HasSubstr("134217728\""));
}

TEST(findings, buffers_bound_the_rate_over_a_distance) {
    const auto host = good_machine();
    EXPECT_THAT(judged(host, "receive_buffer").meaning, HasSubstr("30 MiB a second"));
    EXPECT_THAT(judged(host, "send_buffer").meaning, HasSubstr("40 MiB a second"));
}

TEST(findings, congestion_control_offers_what_is_there) {
    auto host = good_machine();
    EXPECT_THAT(judged(host, "congestion_control").change, HasSubstr("modprobe tcp_bbr"));
    host.congestion_controls = {"cubic", "bbr"};
    EXPECT_THAT(judged(host, "congestion_control").change, Not(HasSubstr("modprobe")));
    host.congestion_control = "bbr";
    EXPECT_THAT(judged(host, "congestion_control").change, HasSubstr("=cubic"));
    host.congestion_control = "reno";
    EXPECT_EQ(judged(host, "congestion_control").result, mark::warn);
}

TEST(findings, a_quota_below_the_cores_is_warned_of) {
    auto host = good_machine();
    host.usable_cores = 4;
    auto found = judged(host, "cores");
    EXPECT_EQ(found.shown, "4 of 8");
    EXPECT_EQ(found.value["quota"], "unlimited");
    host.quota = 2.5;
    found = judged(host, "cores");
    EXPECT_EQ(found.result, mark::warn);
    EXPECT_EQ(found.shown, "4 of 8, quota 2.5");
    EXPECT_EQ(found.value["quota"], 2.5);
    EXPECT_THAT(found.change, HasSubstr("--workers 2"));
    host.quota = 0.5;
    EXPECT_THAT(judged(host, "cores").change, HasSubstr("--workers 1"));
    host.quota = 4.0;
    EXPECT_EQ(judged(host, "cores").result, mark::ok);
}

TEST(findings, a_kernel_without_a_sandbox_is_named) {
    machine host = good_machine();
    host.landlock = 1;
    EXPECT_EQ(judged(host, "landlock").result, mark::warn);
    EXPECT_EQ(judged(host, "landlock").shown, "version 1");
    host.landlock = 0;
    host.system_call_filters = false;
    EXPECT_EQ(judged(host, "landlock").result, mark::bad);
    EXPECT_EQ(judged(host, "landlock").shown, "no");
    EXPECT_EQ(judged(host, "seccomp").result, mark::warn);
}

TEST(findings, kernel_tls_is_said_and_never_a_fault) {
    machine host = good_machine();
    EXPECT_EQ(judged(host, "kernel_tls").shown, "no");
    host.kernel_tls = true;
    EXPECT_EQ(judged(host, "kernel_tls").shown, "yes");
    EXPECT_EQ(judged(host, "kernel_tls").result, mark::ok);
    host.kernel_tls.reset();
    EXPECT_EQ(judged(host, "kernel_tls").result, mark::unknown);
}

}  // namespace
}  // namespace sluice::cli
