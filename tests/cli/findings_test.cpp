// The doctor's judgements: every fact has one, and the worrying ones say what to do.
#include "sluice/cli/doctor/findings.hpp"

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
    machine here;
    here.release = "6.1.0-20-amd64";
    here.architecture = "x86_64";
    here.clock = "tsc";
    here.huge_pages = "madvise";
    here.open_files = limit_pair{{65'536, false}, {1'048'576, false}};
    here.locked_memory = limit_pair{{0, true}, {0, true}};
    here.processes = limit_pair{{100'000, false}, {0, true}};
    here.cgroup_processes = amount{0, true};
    here.memory = 8ULL << 30U;
    here.cgroup_memory = amount{0, true};
    here.pipe_size = 1U << 20U;
    here.backlog = 4096;
    here.syn_backlog = 1024;
    here.ephemeral_ports = port_range{32768, 60999};
    here.congestion_control = "cubic";
    here.congestion_controls = {"reno", "cubic"};
    here.receive_buffer = 6U << 20U;
    here.send_buffer = 4U << 20U;
    here.cores = 8;
    here.usable_cores = 8;
    here.quota = no_limit;
    return here;
}

io::uring_support good_uring() {
    io::uring_support uring;
    uring.usable = true;
    return uring;
}

finding judged(const machine& here, std::string_view key,
               const io::uring_support& uring = good_uring()) {
    const auto all = judge_machine(here, uring);
    const auto found = std::ranges::find(all, key, &finding::key);
    EXPECT_NE(found, all.end()) << key;
    return found == all.end() ? finding{} : *found;
}

TEST(findings, a_good_machine_is_all_well) {
    std::set<std::string> names;
    for (const auto& each : judge_machine(good_machine(), good_uring())) {
        EXPECT_EQ(each.verdict, mark::ok) << each.key;
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
        EXPECT_EQ(each.verdict, mark::unknown) << each.key;
        EXPECT_TRUE(each.value.is_null()) << each.key;
        EXPECT_EQ(each.shown, "unreadable") << each.key;
        EXPECT_THAT(each.meaning, EndsWith(".")) << each.key;
    }
}

TEST(findings, an_old_kernel_is_warned_of) {
    auto here = good_machine();
    for (const auto* old : {"5.10.0-20-amd64", "6.0.19", "4.19.0", "", "custom"}) {
        here.release = old;
        EXPECT_EQ(judged(here, "release").verdict, mark::warn) << old;
    }
    for (const auto* recent : {"6.1.0", "6.10.1", "7.0.0-rc1", "6.18.44-fc-v669"}) {
        here.release = recent;
        EXPECT_EQ(judged(here, "release").verdict, mark::ok) << recent;
    }
}

TEST(findings, a_slow_clock_and_a_leaking_balloon_are_warned_of) {
    auto here = good_machine();
    here.clock = "hpet";
    here.page_reporting = true;
    EXPECT_EQ(judged(here, "clock").verdict, mark::warn);
    EXPECT_EQ(judged(here, "page_reporting").verdict, mark::warn);
}

TEST(findings, io_uring_refused_has_its_cause_and_its_remedy) {
    io::uring_support refused;
    refused.why_not = "the gate is shut";
    refused.remedy = "open it";
    const auto found = judged(good_machine(), "usable", refused);
    EXPECT_EQ(found.verdict, mark::warn);
    EXPECT_EQ(found.value, false);
    EXPECT_EQ(found.meaning, "The gate is shut. --engine auto takes epoll.");
    EXPECT_EQ(found.change, "open it");
}

TEST(findings, few_open_files_are_a_warning_and_next_to_none_are_bad) {
    auto here = good_machine();
    here.open_files = limit_pair{{1024, false}, {524'288, false}};
    auto found = judged(here, "open_files");
    EXPECT_EQ(found.verdict, mark::warn);
    EXPECT_EQ(found.shown, "1,024 (at most 524,288)");
    EXPECT_THAT(found.change, HasSubstr("ulimit -n 65536"));
    EXPECT_THAT(found.change, Not(HasSubstr("root")));
    here.open_files = limit_pair{{64, false}, {64, false}};
    found = judged(here, "open_files");
    EXPECT_EQ(found.verdict, mark::bad);
    EXPECT_THAT(found.change, HasSubstr("as root: ulimit -n 65536"));
}

TEST(findings, the_smaller_of_two_limits_on_processes_counts) {
    auto here = good_machine();
    here.cgroup_processes = amount{50, false};
    auto found = judged(here, "processes");
    EXPECT_EQ(found.verdict, mark::bad);
    EXPECT_EQ(found.shown, "50");
    here.processes = limit_pair{{0, true}, {0, true}};
    EXPECT_EQ(judged(here, "processes").shown, "50");
    here.cgroup_processes = amount{0, true};
    EXPECT_EQ(judged(here, "processes").shown, "unlimited");
    EXPECT_EQ(judged(here, "processes").verdict, mark::ok);
}

TEST(findings, small_queues_and_few_ports_are_warned_of) {
    auto here = good_machine();
    here.backlog = 128;
    here.syn_backlog = 128;
    here.ephemeral_ports = port_range{60000, 62999};
    here.pipe_size = 65536;
    here.locked_memory = limit_pair{{65536, false}, {65536, false}};
    for (const auto* key :
         {"backlog", "syn_backlog", "ephemeral_ports", "pipe_size", "locked_memory"}) {
        EXPECT_EQ(judged(here, key).verdict, mark::warn) << key;
    }
    EXPECT_THAT(judged(here, "backlog").change, HasSubstr("somaxconn=4096"));
    const auto ports = judged(here, "ephemeral_ports");
    EXPECT_EQ(ports.value["count"], 3000);
    EXPECT_EQ(ports.value["connects_per_second"], 50);
    here.ephemeral_ports = port_range{60000, 60099};
    EXPECT_EQ(judged(here, "ephemeral_ports").verdict, mark::bad);
}

TEST(findings, a_change_never_lowers_what_is_high_already) {
    auto here = good_machine();
    here.backlog = 65'535;
    here.receive_buffer = 64U << 20U;
    EXPECT_THAT(judged(here, "backlog").change, HasSubstr("somaxconn=131070"));
    EXPECT_THAT(judged(here, "receive_buffer").change, HasSubstr("134217728\""));
}

TEST(findings, buffers_bound_the_rate_over_a_distance) {
    const auto here = good_machine();
    EXPECT_THAT(judged(here, "receive_buffer").meaning, HasSubstr("30 MiB a second"));
    EXPECT_THAT(judged(here, "send_buffer").meaning, HasSubstr("40 MiB a second"));
}

TEST(findings, congestion_control_offers_what_is_there) {
    auto here = good_machine();
    EXPECT_THAT(judged(here, "congestion_control").change, HasSubstr("modprobe tcp_bbr"));
    here.congestion_controls = {"cubic", "bbr"};
    EXPECT_THAT(judged(here, "congestion_control").change, Not(HasSubstr("modprobe")));
    here.congestion_control = "bbr";
    EXPECT_THAT(judged(here, "congestion_control").change, HasSubstr("=cubic"));
    here.congestion_control = "reno";
    EXPECT_EQ(judged(here, "congestion_control").verdict, mark::warn);
}

TEST(findings, a_quota_below_the_cores_is_warned_of) {
    auto here = good_machine();
    here.usable_cores = 4;
    auto found = judged(here, "cores");
    EXPECT_EQ(found.shown, "4 of 8");
    EXPECT_EQ(found.value["quota"], "unlimited");
    here.quota = 2.5;
    found = judged(here, "cores");
    EXPECT_EQ(found.verdict, mark::warn);
    EXPECT_EQ(found.shown, "4 of 8, quota 2.5");
    EXPECT_EQ(found.value["quota"], 2.5);
    EXPECT_THAT(found.change, HasSubstr("--workers 2"));
    here.quota = 0.5;
    EXPECT_THAT(judged(here, "cores").change, HasSubstr("--workers 1"));
    here.quota = 4.0;
    EXPECT_EQ(judged(here, "cores").verdict, mark::ok);
}

}  // namespace
}  // namespace sluice::cli
