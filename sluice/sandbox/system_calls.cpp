// The table of system calls.
#include "sluice/sandbox/system_calls.hpp"

#include <array>

namespace sluice::sandbox {
namespace {

using enum need;

constexpr auto of_kernel = std::to_array<calls_of>({
    {"socket", "socket", startup},
    {"socketpair", "socketpair", startup},
    {"bind", "bind", startup},
    {"listen", "listen", startup},
    {"accept4", "accept4"},
    {"connect", "connect", startup},
    {"recv", "recvfrom"},
    {"send", "sendto"},
    {"recvmsg", "recvmsg"},
    {"sendmsg", "sendmsg"},  // listening sockets, to the supervisor
    {"shutdown", "shutdown"},
    {"getsockopt", "getsockopt"},
    {"setsockopt", "setsockopt"},
    {"getsockname", "getsockname"},
    {"getpeername", "getpeername"},
    {"close", "close"},
    {"close_range", "close_range"},
    {"dup2", "dup2 dup3"},
    {"fcntl", ""},       // which is looked into
    {"fcntl_lock", ""},  // the same
    {"ioctl", ""},       // which is looked into
    {"pipe2", "pipe2"},
    {"eventfd", "eventfd2"},
    {"signalfd", "signalfd4"},
    {"timerfd_create", "timerfd_create"},
    {"timerfd_settime", "timerfd_settime"},
    {"epoll_create1", "epoll_create1", epoll},
    {"epoll_ctl", "epoll_ctl", epoll},
    {"epoll_pwait2", "epoll_pwait2", epoll},
    {"epoll_wait", "epoll_wait epoll_pwait", epoll},
    {"ppoll", "ppoll"},
    {"read", "read"},
    {"write", "write"},
    {"io_uring_setup", "io_uring_setup", new_ring},
    {"io_uring_enter", "io_uring_enter", ring},
    {"io_uring_register", "io_uring_register", ring},
    {"pread", "pread64", files},
    {"pwrite", "pwrite64", files},
    {"sendfile", "sendfile sendfile64", files},
    {"splice", "splice"},
    {"copy_file_range", "copy_file_range", files},
    {"lseek", "lseek _llseek"},
    {"fstat", "fstat fstat64 newfstatat fstatat64"},
    {"fstatvfs", "fstatfs fstatfs64", files},
    {"ftruncate", "ftruncate ftruncate64"},  // of the memory of a chat's log
    {"fallocate", "fallocate", files},
    {"fsync", "fsync", files},
    {"fdatasync", "fdatasync", files},
    {"syncfs", "syncfs", files},
    {"sync", "sync", startup},
    {"sync_file_range", "sync_file_range sync_file_range2", files},
    {"posix_fadvise", "fadvise64 fadvise64_64 arm_fadvise64_64", files},
    {"cached_bytes", "cachestat", files},
    {"flock", "flock", files},
    {"fchown", "fchown", startup},
    {"futimens", "utimensat", files},
    {"fgetxattr", "fgetxattr", files},
    {"fsetxattr", "fsetxattr", files},
    {"fremovexattr", "fremovexattr", files},
    // A server reads its certificates, accounts and configuration again.
    {"openat", "openat open"},
    {"openat2", "openat2", files},
    {"fstatat", "newfstatat fstatat64"},
    {"mount_of", "statx"},
    {"faccessat", "faccessat faccessat2"},
    {"readlinkat", "readlinkat"},
    {"mkdirat", "mkdirat", files},
    {"fchownat", "fchownat", startup},
    {"unlinkat", "unlinkat", files},
    {"linkat", "linkat", files},
    {"renameat2", "renameat renameat2", files},
    {"getdents64", "getdents64"},
    {"realpath", "readlink lstat getcwd"},
    {"umask", "umask", files},
    {"fork", "", fork},  // clone(2), which is looked into
    {"getpid", "getpid"},
    {"getppid", "getppid"},
    {"getpgrp", "getpgrp getpgid"},
    {"spawn", "", startup},  // by a thread that is under the filter of programs
    {"waitpid", "wait4 waitid", children},
    {"execve", "execve", startup},
    {"exit_group", "exit_group"},
    {"getuid", "getuid"},
    {"geteuid", "geteuid"},
    {"kill", "kill", children},
    {"raise", "tgkill gettid getpid"},
    {"pidfd_open", "pidfd_open", children},
    {"uname", "uname"},
    {"prctl", ""},  // which is looked into
    {"setsid", "setsid", startup},
    {"sigaction", "rt_sigaction"},
    {"mask_signals", "rt_sigprocmask"},
    {"getrlimit", "getrlimit"},
    {"setrlimit", ""},  // prlimit64(2), which is looked into
    {"prlimit", "", startup},
    {"sched_getaffinity", "sched_getaffinity"},
    {"sched_setaffinity", "sched_setaffinity"},
    {"lower_priority", "sched_setscheduler setpriority getpriority"},
    {"capget", "capget"},
    {"capset", "capset", startup},
    {"drop_bounding_capability", "", startup},
    {"setgroups", "setgroups", startup},
    {"setgid", "setresgid", startup},
    {"setuid", "setresuid", startup},
    {"chroot", "chroot", startup},
    {"chdir", "chdir", startup},
    {"landlock_create_ruleset", "landlock_create_ruleset", startup},
    {"landlock_add_path", "landlock_add_rule", startup},
    {"landlock_restrict_self", "landlock_restrict_self", startup},
    {"seccomp", "seccomp", new_ring},  // to forbid others
    {"mmap", ""},                      // which is looked into
    {"munmap", "munmap"},
    {"madvise", "madvise"},
    {"mincore", "mincore", files},
    {"memfd_create", "memfd_create"},
    {"getrusage", "getrusage"},
    {"process_cpu_ns", "clock_getres clock_gettime"},
    {"monotonic_ns", "clock_gettime clock_gettime64"},
    {"wall_ns", "clock_gettime clock_gettime64"},
    {"thread_cpu_ns", "clock_gettime clock_gettime64"},
    {"random", "getrandom"},
    {"start_thread", "set_robust_list rseq"},  // and clone(2), which is looked into
    {"join_thread", "futex"},
    {"detach_thread", "futex"},
    {"yield", "sched_yield"},
    {"lock_contended", "futex"},
    {"futex_wait", "futex"},
    {"futex_wake", "futex"},
});

constexpr auto of_library = std::to_array<calls_of>({
    {"malloc", "brk mremap"},
    {"pthread",
     "exit get_robust_list sched_getparam sched_getscheduler sched_get_priority_max "
     "sched_get_priority_min membarrier"},
    {"signals", "rt_sigreturn sigaltstack restart_syscall rt_sigtimedwait"},
    {"sleep", "clock_nanosleep clock_nanosleep_time64 nanosleep futex_time64 ppoll_time64 poll"},
    {"stdio and iostream", "writev readv access stat fstatfs"},
    {"time", "gettimeofday time"},
    {"sysconf", "sysinfo getcpu"},
    {"users", "getgid getegid"},
});

}  // namespace

std::span<const calls_of> calls_of_kernel() noexcept {
    return of_kernel;
}

std::span<const calls_of> calls_of_library() noexcept {
    return of_library;
}

std::string_view dangerous_calls() noexcept {
    return
        // other programs, and other processes
        "execve execveat vfork ptrace process_vm_readv process_vm_writev pidfd_getfd kcmp "
        "process_madvise "
        // connections of its own, and rings where the engine has none
        "socket socketpair bind listen connect io_uring_setup "
        // another user, other rights, another root
        "setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups capset "
        "chroot pivot_root setns unshare personality "
        // the kernel
        "bpf perf_event_open userfaultfd keyctl add_key request_key init_module finit_module "
        "delete_module kexec_load kexec_file_load "
        // the machine
        "mount umount umount2 move_mount open_tree fsopen fsconfig fsmount fspick mount_setattr "
        "open_by_handle_at swapon swapoff reboot acct quotactl quotactl_fd settimeofday "
        "clock_settime clock_adjtime adjtimex sethostname setdomainname syslog iopl ioperm "
        "modify_ldt lookup_dcookie vhangup nfsservctl";
}

std::string_view calls_refused_to_programs() noexcept {
    return "ptrace process_vm_readv process_vm_writev pidfd_getfd kcmp process_madvise "
           "io_uring_setup io_uring_enter io_uring_register "
           "chroot pivot_root setns unshare "
           "bpf perf_event_open userfaultfd keyctl add_key request_key init_module finit_module "
           "delete_module kexec_load kexec_file_load "
           "mount umount umount2 move_mount open_tree fsopen fsconfig fsmount fspick mount_setattr "
           "open_by_handle_at swapon swapoff reboot acct quotactl quotactl_fd settimeofday "
           "clock_settime clock_adjtime adjtimex sethostname setdomainname syslog iopl ioperm "
           "modify_ldt lookup_dcookie vhangup nfsservctl";
}

}  // namespace sluice::sandbox
