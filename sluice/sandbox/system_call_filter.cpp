// Implements filters of system calls over libseccomp, which writes them, and seccomp(2).
#include "sluice/sandbox/system_call_filter.hpp"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <numeric>
#include <span>
#include <string>
#include <string_view>

#include "sluice/os/fd.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/sandbox/system_calls.hpp"

namespace sluice::sandbox {
namespace {

using rules = std::unique_ptr<void, decltype(&seccomp_release)>;

constexpr auto namespaces =
    std::to_array<std::uint64_t>({CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS,
                                  CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS});
// clone(2), "C library/kernel differences".
#if defined(__s390__)
constexpr unsigned flags_of_clone = 1;
#else
constexpr unsigned flags_of_clone = 0;
#endif

/// The number of a system call on this machine; negative if it has none.
int number_of(std::string_view name) {
    // libseccomp 2.5 does not know it; it has one number everywhere.
    if (name == "cachestat") return 451;
    return ::seccomp_syscall_resolve_name(std::string{name}.c_str());
}

template <class F>
void for_each_word(std::string_view words, F act) {
    while (!words.empty()) {
        const auto end = std::min(words.find(' '), words.size());
        if (end > 0) act(words.substr(0, end));
        words.remove_prefix(std::min(end + 1, words.size()));
    }
}

/// A condition on an argument; libseccomp's macros for it are C's. `b` is for a comparison of the
/// bits of the mask `a`.
constexpr scmp_arg_cmp argument(unsigned number, scmp_compare how, std::uint64_t a,
                                std::uint64_t b = 0) noexcept {
    return {.arg = number, .op = how, .datum_a = a, .datum_b = b};
}

/// Collects rules, and the first error that one met.
class rule_list {
 public:
    explicit rule_list(std::uint32_t otherwise)
        : rules_{::seccomp_init(otherwise), &::seccomp_release} {
        if (rules_ == nullptr) {
            failed_ = -ENOMEM;
            return;
        }
        // Calls of another architecture (ia32, x32) go around all rules.
        note(::seccomp_attr_set(get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
        // A binary tree over the numbers of the calls, rather than a list.
        note(::seccomp_attr_set(get(), SCMP_FLTATR_CTL_OPTIMIZE, 2));
    }

    void add(std::uint32_t action, std::string_view call) { add(action, call, {}); }
    void add(std::uint32_t action, std::string_view call, std::span<const scmp_arg_cmp> where) {
        const int number = number_of(call);
        if (number < 0 || failed_ < 0) return;
        note(::seccomp_rule_add_array(get(), action, number, static_cast<unsigned>(where.size()),
                                      where.data()));
    }
    void add_all(std::uint32_t action, std::string_view calls) {
        for_each_word(calls, [&](std::string_view each) { add(action, each); });
    }

    [[nodiscard]] void* get() const noexcept { return rules_.get(); }
    [[nodiscard]] int failed() const noexcept { return failed_; }

 private:
    void note(int returned) noexcept {
        if (returned < 0 && failed_ == 0) failed_ = returned;
    }

    rules rules_;
    int failed_ = 0;
};

bool wants(const server_needs& needs, need who) noexcept {
    switch (who) {
        case need::always: return true;
        case need::files: return needs.files;
        case need::epoll: return needs.epoll;
        case need::ring: return needs.ring;
        case need::new_ring: return needs.new_ring;
        case need::children: return needs.children;
        case need::fork: return needs.fork;
        case need::startup: break;
    }
    return false;
}

/// Calls that are let through with some arguments alone.
void add_rules_of_arguments(rule_list& all, const server_needs& needs) {
    constexpr auto allow = SCMP_ACT_ALLOW;
    const scmp_arg_cmp not_executable = argument(2, SCMP_CMP_MASKED_EQ, PROT_EXEC);
    for (const auto* each : {"mmap", "mmap2", "mprotect"})
        all.add(allow, each, {&not_executable, 1});
    // A thread shares the signals of its process; glibc falls back from clone3(2), whose flags a
    // filter cannot see.
    const std::uint64_t all_namespaces =
        std::accumulate(namespaces.begin(), namespaces.end(), std::uint64_t{0}, std::bit_or{});
    constexpr std::uint64_t thread = CLONE_THREAD;
    const auto of_clone = needs.fork ? argument(flags_of_clone, SCMP_CMP_MASKED_EQ, all_namespaces)
                                     : argument(flags_of_clone, SCMP_CMP_MASKED_EQ, thread, thread);
    all.add(allow, "clone", {&of_clone, 1});
    for (const auto each : std::array<std::uint64_t, 2>{PR_SET_NAME, PR_SET_PDEATHSIG}) {
        const scmp_arg_cmp option = argument(0, SCMP_CMP_EQ, each);
        all.add(allow, "prctl", {&option, 1});
    }
    const scmp_arg_cmp itself = argument(0, SCMP_CMP_EQ, 0);
    all.add(allow, "prlimit64", {&itself, 1});
    // No other process is told by a signal (F_SETOWN, F_SETSIG).
    for (const auto* each : {"fcntl", "fcntl64"}) {
        for (const auto command : std::array<std::uint64_t, 12>{
                 F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_OFD_GETLK,
                 F_OFD_SETLK, F_OFD_SETLKW, F_GETPIPE_SZ, F_SETPIPE_SZ, F_ADD_SEALS}) {
            const scmp_arg_cmp one = argument(1, SCMP_CMP_EQ, command);
            all.add(allow, each, {&one, 1});
        }
    }
    // What a socket has not sent, and whether something is a terminal.
    for (const auto each : std::array<std::uint64_t, 3>{SIOCOUTQ, TCGETS, TIOCGPTN}) {
        const scmp_arg_cmp request = argument(1, SCMP_CMP_EQ, each);
        all.add(allow, "ioctl", {&request, 1});
    }
}

}  // namespace

result<system_call_filter> system_call_filter::compile(void* rules) {
    os::kernel& sys = os::sys();
    const unique_fd file{sys.memfd_create("system calls", MFD_CLOEXEC)};
    if (!file) return failure_of(-file.get());
    if (const int failed = ::seccomp_export_bpf(rules, file.get()); failed < 0) {
        return failure_of(-failed);
    }
    const off_t size = sys.lseek(file.get(), 0, SEEK_END);
    if (size <= 0 || sys.lseek(file.get(), 0, SEEK_SET) != 0) return failure_of(EIO);
    std::vector<sock_filter> program(static_cast<std::size_t>(size) / sizeof(sock_filter));
    const auto n = sys.read(file.get(), std::as_writable_bytes(std::span{program}));
    if (n != size) return failure_of(EIO);
    return system_call_filter{std::move(program)};
}

result<system_call_filter> system_call_filter::of_server(const server_needs& needs) noexcept try {
    rule_list all{SCMP_ACT_ERRNO(ENOSYS)};
    // A call of two rows is let through if one of them is needed.
    std::string allowed;
    for (const auto rows : {calls_of_kernel(), calls_of_library()}) {
        for (const auto& row : rows) {
            if (wants(needs, row.who)) allowed.append(row.calls).append(" ");
        }
    }
    all.add_all(SCMP_ACT_ALLOW, allowed);
    add_rules_of_arguments(all, needs);
    for_each_word(dangerous_calls(), [&](std::string_view each) {
        if ((" " + allowed).contains(" " + std::string{each} + " ")) return;
        all.add(SCMP_ACT_KILL_PROCESS, each);
    });
    if (all.failed() < 0) return failure_of(-all.failed());
    return compile(all.get());
} catch (const std::bad_alloc&) {
    return failure_of(ENOMEM);
}

result<system_call_filter> system_call_filter::of_new_rings() noexcept try {
    rule_list all{SCMP_ACT_ALLOW};
    all.add(SCMP_ACT_KILL_PROCESS, "io_uring_setup");
    if (all.failed() < 0) return failure_of(-all.failed());
    return compile(all.get());
} catch (const std::bad_alloc&) {
    return failure_of(ENOMEM);
}

result<system_call_filter> system_call_filter::of_programs() noexcept try {
    rule_list all{SCMP_ACT_ALLOW};
    all.add_all(SCMP_ACT_ERRNO(EPERM), calls_refused_to_programs());
    // One rule for each, as a rule says what all its bits are.
    for (const auto each : namespaces) {
        const auto flag = argument(flags_of_clone, SCMP_CMP_MASKED_EQ, each, each);
        all.add(SCMP_ACT_ERRNO(EPERM), "clone", {&flag, 1});
    }
    all.add(SCMP_ACT_ERRNO(ENOSYS), "clone3");
    const scmp_arg_cmp types = argument(1, SCMP_CMP_EQ, TIOCSTI);
    all.add(SCMP_ACT_ERRNO(EPERM), "ioctl", {&types, 1});
    if (all.failed() < 0) return failure_of(-all.failed());
    return compile(all.get());
} catch (const std::bad_alloc&) {
    return failure_of(ENOMEM);
}

result<void> system_call_filter::install(unsigned flags) noexcept {
    sock_fprog program{.len = static_cast<unsigned short>(program_.size()),
                       .filter = program_.data()};
    const int returned = os::sys().seccomp(SECCOMP_SET_MODE_FILTER, flags, &program);
    if (returned < 0) return failure_of(-returned);
    // With all threads: the number of one that has another filter.
    if (returned > 0) return failure_of(EBUSY);
    return {};
}

result<void> system_call_filter::install_on_this_thread() noexcept {
    return install(0);
}

result<void> system_call_filter::install_on_all_threads() noexcept {
    return install(SECCOMP_FILTER_FLAG_TSYNC);
}

bool has_system_call_filters() noexcept {
    std::uint32_t action = SECCOMP_RET_KILL_PROCESS;
    return os::sys().seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

}  // namespace sluice::sandbox
