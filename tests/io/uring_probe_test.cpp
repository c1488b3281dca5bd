// The probe of io_uring: it agrees with itself, leaves nothing behind and names each cause.
#include "sluice/io/engines/uring_probe.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>

#include "tests/support/no_memory.hpp"

namespace sluice::io {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

long open_descriptors() {
    return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"},
                         std::filesystem::directory_iterator{});
}

uring_support with_everything() {
    uring_support found;
    for (const auto& feature : uring_features()) found.*feature.found = true;
    return found;
}

uring_support refused_with(int code, const uring_surroundings& around) {
    uring_support found;
    found.refusal = error::system(code);
    judge(found, around);
    return found;
}

uring_surroundings usual_machine() {
    return {.kernel = "6.1.0",
            .disabled = 0,
            .seccomp = 0,
            .privileged = false,
            .locked_memory = std::uint64_t{65536}};
}

TEST(uring_probe, is_usable_or_says_why_not) {
    const auto found = probe_uring();
    if (found.usable) {
        EXPECT_THAT(found.why_not, IsEmpty());
        EXPECT_THAT(found.remedy, IsEmpty());
        EXPECT_FALSE(found.refusal);
        for (const auto& feature : uring_features()) {
            EXPECT_TRUE(found.*feature.found || !feature.needed) << feature.name;
        }
    } else {
        EXPECT_THAT(found.why_not, Not(IsEmpty()));
        EXPECT_THAT(found.remedy, Not(IsEmpty()));
    }
}

TEST(uring_probe, leaves_no_descriptor_behind) {
    const auto before = open_descriptors();
    for (int i = 0; i < 10; ++i) static_cast<void>(probe_uring());
    EXPECT_EQ(open_descriptors(), before);
}

TEST(uring_probe, a_lack_of_descriptors_is_not_taken_for_an_old_kernel) {
    if (!probe_uring().usable) GTEST_SKIP() << "io_uring is off here for another reason";
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    // The lowest free number: what is below it is taken.
    const int lowest = ::dup(0);
    ::close(lowest);
    for (int spare = 0; spare < 8; ++spare) {
        const rlimit tight{.rlim_cur = static_cast<rlim_t>(lowest + spare),
                           .rlim_max = before.rlim_max};
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
        const auto found = probe_uring();
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
        if (found.refusal && found.refusal->is(EMFILE)) {
            EXPECT_THAT(found.why_not, HasSubstr("no file descriptor is left")) << spare;
        } else {
            EXPECT_TRUE(found.usable) << found.why_not << ", with " << spare << " descriptors";
        }
    }
}

TEST(uring_probe, a_lack_of_memory_is_not_taken_for_an_old_kernel) {
    if (!probe_uring().usable) GTEST_SKIP() << "io_uring is off here for another reason";
    test::no_memory linux;
    const os::kernel_in_place in_place{linux};
    const auto found = probe_uring();
    ASSERT_TRUE(found.refusal) << found.why_not;
    EXPECT_TRUE(found.refusal->is(ENOMEM)) << found.why_not;
    EXPECT_THAT(found.why_not, Not(HasSubstr("lacks")));
}

TEST(uring_probe, finds_the_same_on_two_threads_at_once) {
    if (const char* engines = std::getenv("SLUICE_TEST_ENGINES");
        engines != nullptr && std::string_view{engines}.find("uring") == std::string_view::npos) {
        GTEST_SKIP() << "SLUICE_TEST_ENGINES leaves io_uring out";
    }
    uring_support other;
    std::thread neighbour{[&] { other = probe_uring(); }};
    const auto found = probe_uring();
    neighbour.join();
    for (const auto& feature : uring_features()) {
        EXPECT_EQ(found.*feature.found, other.*feature.found) << feature.name;
    }
}

TEST(uring_probe, reads_its_surroundings) {
    const auto around = read_uring_surroundings();
    EXPECT_THAT(around.kernel, Not(IsEmpty()));
    ASSERT_TRUE(around.seccomp);
    EXPECT_GE(*around.seccomp, 0);
    EXPECT_LE(*around.seccomp, 2);
    EXPECT_TRUE(around.privileged);
}

TEST(uring_judge, everything_there_is_usable) {
    auto found = with_everything();
    judge(found, usual_machine());
    EXPECT_TRUE(found.usable);
    EXPECT_THAT(found.why_not, IsEmpty());
}

TEST(uring_judge, optional_features_may_be_missing) {
    auto found = with_everything();
    found.send_zc = found.msg_ring = found.register_ring_fd = false;
    judge(found, usual_machine());
    EXPECT_TRUE(found.usable);
}

TEST(uring_judge, each_needed_feature_is_needed) {
    for (const auto& feature : uring_features()) {
        if (!feature.needed) continue;
        auto found = with_everything();
        found.*feature.found = false;
        judge(found, usual_machine());
        EXPECT_FALSE(found.usable) << feature.name;
        EXPECT_THAT(found.why_not, AllOf(HasSubstr(feature.name), HasSubstr(feature.since)));
    }
}

TEST(uring_judge, an_old_kernel_names_the_newest_version_that_is_needed) {
    auto found = with_everything();
    found.multishot_accept = found.defer_taskrun = found.ext_arg = false;
    auto around = usual_machine();
    around.kernel = "5.10.0-20-amd64";
    judge(found, around);
    EXPECT_EQ(found.why_not,
              "the kernel (5.10.0-20-amd64) lacks io_uring's ext_arg, defer_taskrun and "
              "multishot_accept, which sluice needs; Linux 6.1 has them");
    EXPECT_EQ(found.remedy, "run a kernel from 6.1 on");
}

TEST(uring_judge, versions_are_compared_as_numbers) {
    auto found = with_everything();
    found.ext_arg = found.no_drop = false;
    judge(found, usual_machine());
    EXPECT_THAT(found.remedy, HasSubstr("5.11"));
}

TEST(uring_judge, names_the_sysctl_for_all) {
    auto around = usual_machine();
    around.disabled = 2;
    around.seccomp = 2;
    const auto found = refused_with(EPERM, around);
    EXPECT_FALSE(found.usable);
    EXPECT_THAT(found.why_not, HasSubstr("kernel.io_uring_disabled is 2"));
    EXPECT_THAT(found.remedy, HasSubstr("sysctl -w kernel.io_uring_disabled=0"));
}

TEST(uring_judge, names_the_sysctl_for_the_unprivileged) {
    auto around = usual_machine();
    around.disabled = 1;
    EXPECT_THAT(refused_with(EPERM, around).why_not,
                AllOf(HasSubstr("kernel.io_uring_disabled is 1"), HasSubstr("io_uring_group")));
    around.privileged = true;
    around.seccomp = 2;
    EXPECT_THAT(refused_with(EPERM, around).why_not, HasSubstr("seccomp"));
}

TEST(uring_judge, names_a_seccomp_filter) {
    auto around = usual_machine();
    around.seccomp = 2;
    EXPECT_THAT(refused_with(EPERM, around).why_not, HasSubstr("seccomp filter"));
    EXPECT_THAT(refused_with(EACCES, around).why_not, HasSubstr("seccomp filter"));
    EXPECT_THAT(refused_with(ENOSYS, around).why_not, HasSubstr("seccomp filter"));
    EXPECT_THAT(refused_with(ENOSYS, around).remedy, HasSubstr("io_uring_setup"));
}

TEST(uring_judge, names_a_security_module_when_nothing_else_is_left) {
    EXPECT_THAT(refused_with(EPERM, usual_machine()).why_not, HasSubstr("SELinux"));
}

TEST(uring_judge, claims_nothing_about_what_it_could_not_read) {
    EXPECT_THAT(refused_with(EPERM, {}).why_not,
                AllOf(HasSubstr("most likely"), HasSubstr("/proc/self/status")));
}

TEST(uring_judge, names_a_kernel_without_io_uring) {
    EXPECT_THAT(refused_with(ENOSYS, usual_machine()).why_not,
                AllOf(HasSubstr("6.1.0"), HasSubstr("CONFIG_IO_URING")));
}

TEST(uring_judge, names_the_limit_on_locked_memory) {
    EXPECT_THAT(refused_with(ENOMEM, usual_machine()).why_not, HasSubstr("64 KiB"));
    EXPECT_THAT(refused_with(ENOMEM, {}).why_not, HasSubstr("unlimited"));
    EXPECT_THAT(refused_with(ENOMEM, usual_machine()).remedy, HasSubstr("LimitMEMLOCK"));
}

TEST(uring_judge, names_a_lack_of_descriptors) {
    EXPECT_THAT(refused_with(EMFILE, usual_machine()).why_not, HasSubstr("descriptor"));
}

TEST(uring_judge, names_a_lack_of_sockets) {
    EXPECT_THAT(refused_with(EAFNOSUPPORT, usual_machine()).why_not, HasSubstr("socket"));
    EXPECT_THAT(refused_with(EAFNOSUPPORT, usual_machine()).remedy, HasSubstr("AF_INET"));
}

TEST(uring_judge, passes_on_what_it_does_not_know) {
    EXPECT_THAT(refused_with(EIO, usual_machine()).why_not, HasSubstr("input/output error"));
}

}  // namespace
}  // namespace sluice::io
