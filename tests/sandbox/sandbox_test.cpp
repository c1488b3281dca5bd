// An intruder in a server: what he can do under its sandbox, and that the server still can serve.
#include "sluice/sandbox/sandbox.hpp"

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <liburing.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "sluice/base/sanitizer.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/sandbox/capabilities.hpp"
#include "sluice/sandbox/root_directory.hpp"
#include "tests/sandbox/confined.hpp"

namespace sluice::sandbox {
namespace {

/// A directory that a server keeps, and a secret beside it.
class confined : public ::testing::Test {
 protected:
    void SetUp() override {
        if (address_sanitizer || thread_sanitizer) GTEST_SKIP() << "a sanitizer's own calls";
        if (!has_system_call_filters()) GTEST_SKIP() << "no seccomp here";
        std::string name = std::filesystem::temp_directory_path() / "sandbox.XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        top_ = name;
        std::filesystem::create_directory(top_ + "/kept");
        std::ofstream{top_ + "/kept/plan"} << "a plan";
        std::ofstream{top_ + "/secret"} << "a secret";
    }
    void TearDown() override { std::filesystem::remove_all(top_); }

    static void need_landlock(int version) {
        if (landlock_version() < version) GTEST_SKIP() << "no Landlock " << version << " here";
    }

    [[nodiscard]] policy of_files() const {
        policy p{.how = mode::on};
        p.reachable.paths = {{top_ + "/kept", path_access::write}};
        p.needs = {.files = true, .epoll = true};
        return p;
    }
    [[nodiscard]] long open(const std::string& name, int flags) const {
        return ::open((top_ + name).c_str(), flags | O_CLOEXEC, 0600);
    }

    std::string top_;
};

/// What an intruder tries, and what a server of no kind does.
const std::vector<std::pair<const char*, long (*)()>> attacks{
    {"execve",
     [] {
         std::array<char*, 1> none{nullptr};
         return long{::execve("/bin/true", none.data(), none.data())};
     }},
    {"socket", [] { return long{::socket(AF_INET, SOCK_STREAM, 0)}; }},
    {"connect",
     [] {
         sockaddr_in where{};
         where.sin_family = AF_INET;
         return long{::connect(0, reinterpret_cast<sockaddr*>(&where), sizeof where)};
     }},
    {"ptrace", [] { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); }},
    {"process_vm_readv",
     [] { return ::syscall(SYS_process_vm_readv, ::getppid(), 0, 0, 0, 0, 0); }},
    {"bpf", [] { return ::syscall(SYS_bpf, 0, nullptr, 0); }},
    {"keyctl", [] { return ::syscall(SYS_keyctl, 0, 0, 0, 0, 0); }},
    {"perf_event_open", [] { return ::syscall(SYS_perf_event_open, nullptr, 0, 0, 0, 0); }},
    {"userfaultfd", [] { return ::syscall(SYS_userfaultfd, 0); }},
    {"init_module", [] { return ::syscall(SYS_init_module, nullptr, 0, ""); }},
    {"mount", [] { return ::syscall(SYS_mount, "", "/", "", 0, nullptr); }},
    {"unshare", [] { return long{::unshare(CLONE_NEWUSER)}; }},
    {"setresuid", [] { return ::syscall(SYS_setresuid, 0, 0, 0); }},
    {"chroot", [] { return long{::chroot("/")}; }},
    {"io_uring_setup", [] { return ::syscall(SYS_io_uring_setup, 1, nullptr); }},
};

TEST_F(confined, ends_an_intruder) {
    for (const auto& [name, attack] : attacks) {
        EXPECT_EQ(fate_under(of_files(), attack), killed) << name;
    }
}

TEST_F(confined, opens_nothing_outside) {
    need_landlock(1);
    const auto p = of_files();
    EXPECT_EQ(fate_under(p, [&] { return open("/secret", O_RDONLY); }), refused(EACCES));
    EXPECT_EQ(fate_under(p, [&] { return open("/new", O_WRONLY | O_CREAT); }), refused(EACCES));
    EXPECT_EQ(fate_under(p, [] { return long{::open("/etc/passwd", O_RDONLY)}; }), refused(EACCES));
    const auto rename_out = [&] {
        return long{::renameat(AT_FDCWD, (top_ + "/kept/plan").c_str(), AT_FDCWD,
                               (top_ + "/plan").c_str())};
    };
    EXPECT_EQ(fate_under(p, rename_out), refused(EACCES));
    const auto cut_secret = [&] { return long{::truncate((top_ + "/secret").c_str(), 0)}; };
    EXPECT_EQ(fate_under(p, cut_secret), refused(ENOSYS));
}

TEST_F(confined, lets_a_server_keep_files) {
    const auto p = of_files();
    EXPECT_EQ(fate_under(p, [&] { return open("/kept/plan", O_RDWR | O_TRUNC); }), succeeded);
    EXPECT_EQ(fate_under(p, [&] { return open("/kept", O_TMPFILE | O_RDWR); }), succeeded);
    const auto make_and_rename = [&] {
        const auto folder = static_cast<int>(open("/kept", O_RDONLY | O_DIRECTORY));
        if (::mkdirat(folder, "below", 0700) < 0) return -1L;
        if (::renameat2(folder, "plan", folder, "below/plan", RENAME_NOREPLACE) < 0) return -1L;
        return long{::unlinkat(folder, "below/plan", 0)};
    };
    EXPECT_EQ(fate_under(p, make_and_rename), succeeded);
}

TEST_F(confined, writes_nothing_that_it_reads) {
    need_landlock(3);
    auto p = of_files();
    p.reachable.paths = {{top_, path_access::read}};
    EXPECT_EQ(fate_under(p, [&] { return open("/secret", O_RDONLY); }), succeeded);
    EXPECT_EQ(fate_under(p, [&] { return open("/secret", O_WRONLY); }), refused(EACCES));
    EXPECT_EQ(fate_under(p, [&] { return open("/secret", O_RDONLY | O_TRUNC); }), refused(EACCES));
}

TEST_F(confined, makes_all_threads_one_may_need) {
    const auto start_thread = [] {
        pthread_t thread{};
        errno = ::pthread_create(&thread, nullptr, [](void*) -> void* { return nullptr; }, nullptr);
        if (errno != 0) return -1L;
        return -long{::pthread_join(thread, nullptr)};
    };
    EXPECT_EQ(fate_under(of_files(), start_thread), succeeded);
}

TEST_F(confined, makes_processes_under_the_fork_model_alone) {
    const auto make_process = [] {
        const pid_t made = ::fork();
        if (made == 0) ::_exit(0);
        return long{made};
    };
    auto p = of_files();
    EXPECT_EQ(fate_under(p, make_process), refused(ENOSYS));
    p.needs.fork = true;
    EXPECT_EQ(fate_under(p, make_process), succeeded);
    const auto make_namespace = [] {
        return ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    };
    EXPECT_EQ(fate_under(p, make_namespace), refused(ENOSYS));
}

TEST_F(confined, runs_no_memory_that_was_written) {
    const auto map = [](int protection) {
        return ::mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    };
    const auto p = of_files();
    EXPECT_EQ(fate_under(p, [&] { return map(PROT_READ) == MAP_FAILED ? -1L : 0L; }), succeeded);
    EXPECT_EQ(fate_under(p, [&] { return map(PROT_READ | PROT_EXEC) == MAP_FAILED ? -1L : 0L; }),
              refused(ENOSYS));
    const auto change = [&] {
        return long{::mprotect(map(PROT_READ | PROT_WRITE), 4096, PROT_READ | PROT_EXEC)};
    };
    EXPECT_EQ(fate_under(p, change), refused(ENOSYS));
}

TEST_F(confined, answers_other_calls_as_a_kernel_without_them) {
    EXPECT_EQ(fate_under(of_files(), [] { return ::syscall(SYS_sync); }), refused(ENOSYS));
    EXPECT_EQ(fate_under(of_files(), [] { return ::syscall(9999); }), refused(ENOSYS));
    EXPECT_EQ(fate_under(of_files(), [] { return long{::epoll_create1(0)}; }), succeeded);
    auto p = of_files();
    p.needs = {};
    EXPECT_EQ(fate_under(p, [] { return long{::epoll_create1(0)}; }), refused(ENOSYS));
    EXPECT_EQ(fate_under(p, [] { return long{::fsync(0)}; }), refused(ENOSYS));
}

TEST_F(confined, has_no_capability_and_gets_none) {
    const auto count = [] {
        std::uint64_t have = 0;
        errno = os::sys().capget(have) < 0 || have != 0 ? EPERM : 0;
        return errno == 0 ? 0L : -1L;
    };
    EXPECT_EQ(fate_under(of_files(), count), succeeded);
    const auto only_chroot = [] { return drop_capabilities(bit_of(18)).has_value(); };
    if (::geteuid() != 0) GTEST_SKIP() << "only root has some to lose";
    EXPECT_EQ(fate_of(only_chroot, [] { return long{::chroot("/")}; }), succeeded);
    EXPECT_EQ(fate_of(only_chroot, [] { return long{::setgroups(0, nullptr)}; }), refused(EPERM));
    const auto none = [] { return drop_capabilities().has_value(); };
    EXPECT_EQ(fate_of(none, [] { return long{::chroot("/")}; }), refused(EPERM));
}

TEST_F(confined, signals_no_process_outside) {
    need_landlock(6);
    auto p = of_files();
    p.needs.children = true;
    EXPECT_EQ(fate_under(p, [] { return long{::kill(::getppid(), 0)}; }), refused(EPERM));
    EXPECT_EQ(fate_under(p, [] { return long{::kill(::getpid(), 0)}; }), succeeded);
    p.reachable.signals = true;
    EXPECT_EQ(fate_under(p, [] { return long{::kill(::getppid(), 0)}; }), succeeded);
}

TEST_F(confined, has_no_process_signalled_by_a_descriptor) {
    EXPECT_EQ(fate_under(of_files(), [] { return long{::fcntl(0, F_SETOWN, ::getppid())}; }),
              refused(ENOSYS));
    EXPECT_EQ(fate_under(of_files(), [] { return long{::fcntl(0, F_GETFL)}; }), succeeded);
}

// The filter sees a ring as a whole: what it is told to open passes by, but not by Landlock.
TEST_F(confined, holds_a_ring_by_landlock) {
    need_landlock(1);
    auto p = of_files();
    p.needs.ring = p.needs.new_ring = true;
    const auto open_by_ring = [&](const std::string& name) {
        return [path = top_ + name] {
            io_uring ring{};
            if (::io_uring_queue_init(2, &ring, 0) < 0) return 0L;
            ::io_uring_prep_openat(::io_uring_get_sqe(&ring), AT_FDCWD, path.c_str(), O_RDONLY, 0);
            ::io_uring_submit(&ring);
            io_uring_cqe* done = nullptr;
            ::io_uring_wait_cqe(&ring, &done);
            errno = done->res < 0 ? -done->res : 0;
            return long{done->res};
        };
    };
    EXPECT_EQ(fate_under(p, open_by_ring("/kept/plan")), succeeded);
    EXPECT_EQ(fate_under(p, open_by_ring("/secret")), refused(EACCES));
}

TEST_F(confined, makes_no_ring_once_all_have_begun) {
    auto p = of_files();
    p.needs.ring = p.needs.new_ring = true;
    const auto make_ring = [] {
        io_uring_params parameters{};
        return ::syscall(SYS_io_uring_setup, 1, &parameters);
    };
    EXPECT_EQ(fate_under(p, make_ring), succeeded);
    const auto make_another = [&] {
        forbid_new_rings(p);
        return make_ring();
    };
    EXPECT_EQ(fate_under(p, make_another), killed);
}

TEST_F(confined, is_another_user) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can";
    const auto nobody = find_user("nobody");
    ASSERT_TRUE(nobody) << nobody.error();
    auto p = of_files();
    p.how = mode::off;
    p.as = *nobody;
    const auto is_nobody = [&] {
        errno = EINVAL;
        return ::getuid() == nobody->id && ::getegid() == nobody->group ? 0L : -1L;
    };
    EXPECT_EQ(fate_under(p, is_nobody), succeeded);
    EXPECT_EQ(fate_under(p, [] { return long{::setuid(0)}; }), refused(EPERM));
    EXPECT_EQ(fate_under(p, [] { return long{::setgid(0)}; }), refused(EPERM));
}

TEST_F(confined, knows_no_user_that_is_not_there) {
    const auto found = find_user("no-such-user");
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error(), "there is no user 'no-such-user'");
}

TEST_F(confined, has_another_root) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can";
    const auto enter = [&] { return enter_root_directory(top_).has_value(); };
    EXPECT_EQ(fate_of(enter, [] { return long{::open("/secret", O_RDONLY)}; }), succeeded);
    EXPECT_EQ(fate_of(enter, [] { return long{::open("/../etc/passwd", O_RDONLY)}; }),
              refused(ENOENT));
    EXPECT_EQ(fate_of(enter, [] { return long{::open("secret", O_RDONLY)}; }), succeeded);
}

TEST_F(confined, refuses_programs_what_none_needs) {
    const auto confine = [] { return confine_programs(mode::on, {}).has_value(); };
    for (const auto& [name, attack] : attacks) {
        const std::string call = name;
        if (call == "execve" || call == "socket" || call == "connect" || call == "setresuid") {
            continue;
        }
        EXPECT_EQ(fate_of(confine, attack), refused(EPERM)) << name;
    }
    EXPECT_EQ(fate_of(confine, [] { return long{::socket(AF_INET, SOCK_STREAM, 0)}; }), succeeded);
    EXPECT_EQ(
        fate_of(confine, [] { return ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0); }),
        refused(EPERM));
    const auto run = [](const char* script) {
        return [script] {
            return long{::execl("/bin/sh", "sh", "-c", script, static_cast<char*>(nullptr))};
        };
    };
    EXPECT_EQ(fate_of(confine, run("test \"$(echo a | tr a b)\" = b")), succeeded);
    EXPECT_EQ(fate_of(confine, run("grep -q 'CapEff:.0*$' /proc/self/status")), succeeded);
    EXPECT_EQ(fate_of(confine, run("grep -q 'CapEff:.*[1-9]' /proc/self/status")), refused(1));
}

}  // namespace
}  // namespace sluice::sandbox
