// Implements linux_kernel: each function is the system call of its name.
#include "sluice/os/linux_kernel.hpp"

#include <dirent.h>
#include <liburing.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "sluice/base/sanitizer.hpp"

namespace sluice::os {
namespace {

/// `n`, or -errno if it is -1.
template <class T>
T checked(T n) noexcept {
    return n < 0 ? static_cast<T>(-errno) : n;
}

std::int64_t nanoseconds_of(clockid_t clock) noexcept {
    timespec now{};
    ::clock_gettime(clock, &now);
    constexpr std::int64_t a_second = 1'000'000'000;
    return now.tv_sec * a_second + now.tv_nsec;
}

/// A thread's function, on its way to it.
struct thread_start {
    void (*run)(void*);
    void* argument;
};

void* enter(void* start) {
    const std::unique_ptr<thread_start> owned{static_cast<thread_start*>(start)};
    const thread_start s = *owned;
    s.run(s.argument);
    return nullptr;
}

/// Arguments of posix_spawn(3), freed with their scope.
class spawn_arguments {
 public:
    explicit spawn_arguments(const std::array<int, 3>& standard_fds) noexcept {
        posix_spawn_file_actions_init(&actions_);
        posix_spawnattr_init(&attributes_);
        for (int at = STDIN_FILENO; const int each : standard_fds) {
            note(posix_spawn_file_actions_adddup2(&actions_, each, at++));
        }
        // Also those that were opened without O_CLOEXEC.
        note(posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1));
        sigset_t none{};
        sigset_t all{};
        sigemptyset(&none);
        sigfillset(&all);
        posix_spawnattr_setsigmask(&attributes_, &none);
        posix_spawnattr_setsigdefault(&attributes_, &all);
        posix_spawnattr_setpgroup(&attributes_, 0);
        posix_spawnattr_setflags(
            &attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    }
    spawn_arguments(const spawn_arguments&) = delete;
    spawn_arguments& operator=(const spawn_arguments&) = delete;
    ~spawn_arguments() {
        posix_spawnattr_destroy(&attributes_);
        posix_spawn_file_actions_destroy(&actions_);
    }

    /// 0, or why an action could not be added: ENOMEM or EBADF.
    [[nodiscard]] int failed() const noexcept { return failed_; }
    [[nodiscard]] const posix_spawn_file_actions_t* actions() const noexcept { return &actions_; }
    [[nodiscard]] const posix_spawnattr_t* attributes() const noexcept { return &attributes_; }

 private:
    void note(int failed) noexcept {
        if (failed_ == 0) failed_ = failed;
    }

    posix_spawn_file_actions_t actions_{};
    posix_spawnattr_t attributes_{};
    int failed_ = 0;
};

}  // namespace

int linux_kernel::socket(int family, int type, int protocol) noexcept {
    return checked(::socket(family, type, protocol));
}

int linux_kernel::socketpair(int family, int type, std::array<int, 2>& ends) noexcept {
    return checked(::socketpair(family, type, 0, ends.data()));
}

int linux_kernel::bind(int fd, const sockaddr* address, socklen_t size) noexcept {
    return checked(::bind(fd, address, size));
}

int linux_kernel::listen(int fd, int backlog) noexcept {
    return checked(::listen(fd, backlog));
}

int linux_kernel::accept4(int fd, sockaddr* peer, socklen_t* size, int flags) noexcept {
    return checked(::accept4(fd, peer, size, flags));
}

int linux_kernel::connect(int fd, const sockaddr* address, socklen_t size) noexcept {
    return checked(::connect(fd, address, size));
}

// In a process of several threads libc's wrappers of recv and send are cancellation points
// (pthreads(7)), which are set up and taken down around each call; sluice cancels no threads.
// Sanitizers intercept only libc's wrappers.
ssize_t linux_kernel::recv(int fd, mutable_bytes memory, int flags) noexcept {
    if constexpr (address_sanitizer || thread_sanitizer) {
        return checked(::recv(fd, memory.data(), memory.size(), flags));
    } else {
        return checked(
            ::syscall(SYS_recvfrom, fd, memory.data(), memory.size(), flags, nullptr, nullptr));
    }
}

ssize_t linux_kernel::send(int fd, const_bytes data, int flags) noexcept {
    if constexpr (address_sanitizer || thread_sanitizer) {
        return checked(::send(fd, data.data(), data.size(), flags));
    } else {
        return checked(::syscall(SYS_sendto, fd, data.data(), data.size(), flags, nullptr, 0));
    }
}

ssize_t linux_kernel::recvmsg(int fd, msghdr& message, int flags) noexcept {
    return checked(::recvmsg(fd, &message, flags));
}

ssize_t linux_kernel::sendmsg(int fd, const msghdr& message, int flags) noexcept {
    return checked(::sendmsg(fd, &message, flags));
}

int linux_kernel::shutdown(int fd, int how) noexcept {
    return checked(::shutdown(fd, how));
}

int linux_kernel::getsockopt(int fd, int level, int name, void* value, socklen_t& size) noexcept {
    return checked(::getsockopt(fd, level, name, value, &size));
}

int linux_kernel::setsockopt(int fd, int level, int name, const void* value,
                             socklen_t size) noexcept {
    return checked(::setsockopt(fd, level, name, value, size));
}

int linux_kernel::getsockname(int fd, sockaddr* address, socklen_t& size) noexcept {
    return checked(::getsockname(fd, address, &size));
}

int linux_kernel::getpeername(int fd, sockaddr* address, socklen_t& size) noexcept {
    return checked(::getpeername(fd, address, &size));
}

int linux_kernel::close(int fd) noexcept {
    return checked(::close(fd));
}

int linux_kernel::close_range(unsigned first, unsigned last) noexcept {
    return checked(::close_range(first, last, 0));
}

int linux_kernel::dup2(int from, int to) noexcept {
    return checked(::dup2(from, to));
}

int linux_kernel::fcntl(int fd, int command, long argument) noexcept {
    return checked(::fcntl(fd, command, argument));
}

int linux_kernel::fcntl_lock(int fd, int command, struct flock& lock) noexcept {
    return checked(::fcntl(fd, command, &lock));
}

int linux_kernel::ioctl(int fd, unsigned long request, void* argument) noexcept {
    return checked(::ioctl(fd, request, argument));
}

int linux_kernel::pipe2(std::array<int, 2>& ends, int flags) noexcept {
    return checked(::pipe2(ends.data(), flags));
}

int linux_kernel::eventfd(unsigned initial, int flags) noexcept {
    return checked(::eventfd(initial, flags));
}

int linux_kernel::signalfd(int fd, const sigset_t& signals, int flags) noexcept {
    return checked(::signalfd(fd, &signals, flags));
}

int linux_kernel::timerfd_create(int clock, int flags) noexcept {
    return checked(::timerfd_create(clock, flags));
}

int linux_kernel::timerfd_settime(int fd, int flags, const itimerspec& value) noexcept {
    return checked(::timerfd_settime(fd, flags, &value, nullptr));
}

int linux_kernel::epoll_create1(int flags) noexcept {
    return checked(::epoll_create1(flags));
}

int linux_kernel::epoll_ctl(int fd, int operation, int of, epoll_event* event) noexcept {
    return checked(::epoll_ctl(fd, operation, of, event));
}

int linux_kernel::epoll_pwait2(int fd, std::span<epoll_event> events,
                               const timespec* timeout) noexcept {
    return checked(
        ::epoll_pwait2(fd, events.data(), static_cast<int>(events.size()), timeout, nullptr));
}

int linux_kernel::epoll_wait(int fd, std::span<epoll_event> events, int timeout) noexcept {
    return checked(::epoll_wait(fd, events.data(), static_cast<int>(events.size()), timeout));
}

int linux_kernel::ppoll(std::span<pollfd> watched, const timespec* timeout,
                        const sigset_t* mask) noexcept {
    return checked(::ppoll(watched.data(), watched.size(), timeout, mask));
}

ssize_t linux_kernel::read(int fd, mutable_bytes memory) noexcept {
    return checked(::read(fd, memory.data(), memory.size()));
}

ssize_t linux_kernel::write(int fd, const_bytes data) noexcept {
    return checked(::write(fd, data.data(), data.size()));
}

// libc has no wrappers of these.
int linux_kernel::io_uring_setup(unsigned entries, io_uring_params& parameters) noexcept {
    return static_cast<int>(checked(::syscall(SYS_io_uring_setup, entries, &parameters)));
}

int linux_kernel::io_uring_enter(int fd, unsigned submitted, unsigned awaited, unsigned flags,
                                 const io_uring_getevents_arg* argument) noexcept {
    // Without a mask of signals the kernel looks at the size only with IORING_ENTER_EXT_ARG.
    return static_cast<int>(checked(
        ::syscall(SYS_io_uring_enter, fd, submitted, awaited, flags, argument, sizeof *argument)));
}

int linux_kernel::io_uring_register(int fd, unsigned operation, void* argument,
                                    unsigned count) noexcept {
    return static_cast<int>(
        checked(::syscall(SYS_io_uring_register, fd, operation, argument, count)));
}

ssize_t linux_kernel::pread(int fd, mutable_bytes memory, std::uint64_t at) noexcept {
    return checked(::pread(fd, memory.data(), memory.size(), static_cast<off_t>(at)));
}

ssize_t linux_kernel::pwrite(int fd, const_bytes data, std::uint64_t at) noexcept {
    return checked(::pwrite(fd, data.data(), data.size(), static_cast<off_t>(at)));
}

ssize_t linux_kernel::sendfile(int to, int from, off_t* at, std::size_t count) noexcept {
    return checked(::sendfile(to, from, at, count));
}

ssize_t linux_kernel::splice(int from, off_t* from_at, int to, off_t* to_at, std::size_t count,
                             unsigned flags) noexcept {
    return checked(::splice(from, from_at, to, to_at, count, flags));
}

ssize_t linux_kernel::copy_file_range(int from, off_t* from_at, int to, off_t* to_at,
                                      std::size_t count) noexcept {
    return checked(::copy_file_range(from, from_at, to, to_at, count, 0));
}

off_t linux_kernel::lseek(int fd, off_t at, int whence) noexcept {
    return checked(::lseek(fd, at, whence));
}

int linux_kernel::fstat(int fd, struct stat& into) noexcept {
    return checked(::fstat(fd, &into));
}

int linux_kernel::fstatvfs(int fd, struct statvfs& into) noexcept {
    return checked(::fstatvfs(fd, &into));
}

int linux_kernel::ftruncate(int fd, std::uint64_t size) noexcept {
    return checked(::ftruncate(fd, static_cast<off_t>(size)));
}

int linux_kernel::fallocate(int fd, int mode, std::uint64_t at, std::uint64_t size) noexcept {
    return checked(::fallocate(fd, mode, static_cast<off_t>(at), static_cast<off_t>(size)));
}

int linux_kernel::fsync(int fd) noexcept {
    return checked(::fsync(fd));
}

int linux_kernel::fdatasync(int fd) noexcept {
    return checked(::fdatasync(fd));
}

int linux_kernel::syncfs(int fd) noexcept {
    return checked(::syncfs(fd));
}

void linux_kernel::sync() noexcept {
    ::sync();
}

int linux_kernel::sync_file_range(int fd, std::uint64_t at, std::uint64_t size,
                                  unsigned flags) noexcept {
    return checked(
        ::sync_file_range(fd, static_cast<off64_t>(at), static_cast<off64_t>(size), flags));
}

int linux_kernel::posix_fadvise(int fd, std::uint64_t at, std::uint64_t size, int advice) noexcept {
    return -::posix_fadvise(fd, static_cast<off_t>(at), static_cast<off_t>(size), advice);
}

std::int64_t linux_kernel::cached_bytes(int fd, std::uint64_t at, std::uint64_t size) noexcept {
    // Of cachestat(2), which glibc 2.36 does not know.
    constexpr long cachestat_call = 451;
    struct {
        std::uint64_t offset;
        std::uint64_t length;
    } range{at, size};
    struct {
        std::uint64_t cached;
        std::uint64_t dirty;
        std::uint64_t writeback;
        std::uint64_t evicted;
        std::uint64_t recently_evicted;
    } found{};
    const auto failed = checked(::syscall(cachestat_call, fd, &range, &found, 0U));
    if (failed < 0) return failed;
    return static_cast<std::int64_t>(found.cached) * ::sysconf(_SC_PAGESIZE);
}

int linux_kernel::flock(int fd, int operation) noexcept {
    return checked(::flock(fd, operation));
}

int linux_kernel::fchown(int fd, uid_t owner, gid_t group) noexcept {
    return checked(::fchown(fd, owner, group));
}

int linux_kernel::futimens(int fd, const std::array<timespec, 2>& times) noexcept {
    return checked(::futimens(fd, times.data()));
}

ssize_t linux_kernel::fgetxattr(int fd, const char* name, void* value, std::size_t size) noexcept {
    return checked(::fgetxattr(fd, name, value, size));
}

int linux_kernel::fsetxattr(int fd, const char* name, const void* value,
                            std::size_t size) noexcept {
    return checked(::fsetxattr(fd, name, value, size, 0));
}

int linux_kernel::fremovexattr(int fd, const char* name) noexcept {
    return checked(::fremovexattr(fd, name));
}

int linux_kernel::openat(int directory, const char* path, int flags, mode_t mode) noexcept {
    return checked(::openat(directory, path, flags, mode));
}

int linux_kernel::openat2(int directory, const char* path, int flags, mode_t mode,
                          std::uint64_t resolve) noexcept {
    open_how how{};
    how.flags = static_cast<unsigned>(flags);
    how.mode = mode;
    how.resolve = resolve;
    return static_cast<int>(checked(::syscall(SYS_openat2, directory, path, &how, sizeof how)));
}

int linux_kernel::fstatat(int directory, const char* path, struct stat& into, int flags) noexcept {
    return checked(::fstatat(directory, path, &into, flags));
}

int linux_kernel::mount_of(int fd, std::uint64_t& number, dev_t& device) noexcept {
    // Since Linux 6.8 a mount has a number that is never used again; glibc 2.36 does not know it.
    constexpr unsigned unique_mount_id = 0x4000;
    struct statx found{};
    const int failed =
        checked(::statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID | unique_mount_id, &found));
    if (failed < 0) return failed;
    const bool known = (found.stx_mask & (STATX_MNT_ID | unique_mount_id)) != 0;
    number = known ? found.stx_mnt_id : 0;
    device = makedev(found.stx_dev_major, found.stx_dev_minor);
    return 0;
}

int linux_kernel::faccessat(int directory, const char* path, int mode, int flags) noexcept {
    return checked(::faccessat(directory, path, mode, flags));
}

ssize_t linux_kernel::readlinkat(int directory, const char* path, std::span<char> into) noexcept {
    return checked(::readlinkat(directory, path, into.data(), into.size()));
}

int linux_kernel::mkdirat(int directory, const char* path, mode_t mode) noexcept {
    return checked(::mkdirat(directory, path, mode));
}

int linux_kernel::fchownat(int directory, const char* path, uid_t owner, gid_t group) noexcept {
    return checked(::fchownat(directory, path, owner, group, AT_SYMLINK_NOFOLLOW));
}

int linux_kernel::unlinkat(int directory, const char* path, int flags) noexcept {
    return checked(::unlinkat(directory, path, flags));
}

int linux_kernel::linkat(int from, const char* old_path, int to, const char* new_path,
                         int flags) noexcept {
    return checked(::linkat(from, old_path, to, new_path, flags));
}

int linux_kernel::renameat2(int from, const char* old_path, int to, const char* new_path,
                            unsigned flags) noexcept {
    // Plain renameat(2) is there where renameat2(2) is not.
    if (flags == 0) return checked(::renameat(from, old_path, to, new_path));
    return checked(::renameat2(from, old_path, to, new_path, flags));
}

ssize_t linux_kernel::getdents64(int fd, mutable_bytes memory) noexcept {
    return checked(::getdents64(fd, memory.data(), memory.size()));
}

int linux_kernel::realpath(const char* path, std::string& into) noexcept try {
    const std::unique_ptr<char, decltype(&std::free)> found{::realpath(path, nullptr), &std::free};
    if (found == nullptr) return -errno;
    into = found.get();
    return 0;
} catch (const std::bad_alloc&) {
    return -ENOMEM;
}

mode_t linux_kernel::umask(mode_t mask) noexcept {
    return ::umask(mask);
}

pid_t linux_kernel::fork() noexcept {
    return checked(::fork());
}

pid_t linux_kernel::getpid() noexcept {
    return ::getpid();
}

pid_t linux_kernel::getppid() noexcept {
    return ::getppid();
}

pid_t linux_kernel::getpgrp() noexcept {
    return ::getpgrp();
}

pid_t linux_kernel::spawn(const spawn_plan& plan) noexcept {
    const spawn_arguments how{plan.standard_fds};
    if (how.failed() != 0) return -how.failed();
    pid_t made = -1;
    const int failed = ::posix_spawnp(&made, plan.file, how.actions(), how.attributes(),
                                      plan.arguments, plan.environment);
    return failed != 0 ? -failed : made;
}

pid_t linux_kernel::waitpid(pid_t which, int* status, int options) noexcept {
    return checked(::waitpid(which, status, options));
}

int linux_kernel::execve(const char* path, char* const* arguments,
                         char* const* environment) noexcept {
    return checked(::execve(path, arguments, environment));
}

void linux_kernel::exit_group(int status) noexcept {
    ::_exit(status);
}

uid_t linux_kernel::getuid() noexcept {
    return ::getuid();
}

uid_t linux_kernel::geteuid() noexcept {
    return ::geteuid();
}

int linux_kernel::kill(pid_t which, int signal) noexcept {
    return checked(::kill(which, signal));
}

int linux_kernel::raise(int signal) noexcept {
    return checked(::raise(signal));
}

int linux_kernel::pidfd_open(pid_t which) noexcept {
    return static_cast<int>(checked(::syscall(SYS_pidfd_open, which, 0)));
}

int linux_kernel::uname(utsname& into) noexcept {
    return checked(::uname(&into));
}

int linux_kernel::prctl(int option, unsigned long argument) noexcept {
    // Some options refuse other arguments than 0 (PR_SET_NO_NEW_PRIVS).
    return checked(::prctl(option, argument, 0UL, 0UL, 0UL));
}

int linux_kernel::setsid() noexcept {
    return checked(::setsid());
}

int linux_kernel::sigaction(int signal, const struct sigaction* now,
                            struct sigaction* before) noexcept {
    return checked(::sigaction(signal, now, before));
}

int linux_kernel::mask_signals(int how, const sigset_t* now, sigset_t* before) noexcept {
    return -::pthread_sigmask(how, now, before);
}

int linux_kernel::getrlimit(int resource, rlimit& into) noexcept {
    return checked(::getrlimit(static_cast<__rlimit_resource_t>(resource), &into));
}

int linux_kernel::setrlimit(int resource, const rlimit& limit) noexcept {
    return checked(::setrlimit(static_cast<__rlimit_resource_t>(resource), &limit));
}

int linux_kernel::prlimit(pid_t which, int resource, const rlimit& limit) noexcept {
    return checked(::prlimit(which, static_cast<__rlimit_resource>(resource), &limit, nullptr));
}

int linux_kernel::sched_getaffinity(cpu_set_t& into, std::size_t size) noexcept {
    return checked(::sched_getaffinity(0, size, &into));
}

int linux_kernel::sched_setaffinity(const cpu_set_t& set) noexcept {
    return checked(::sched_setaffinity(0, sizeof set, &set));
}

int linux_kernel::lower_priority(int nice) noexcept {
    if (nice >= 20) {
        const sched_param none{};
        return checked(::sched_setscheduler(0, SCHED_IDLE, &none));
    }
    return checked(::setpriority(PRIO_PROCESS, 0, std::max(nice, ::getpriority(PRIO_PROCESS, 0))));
}

// Capabilities are two words of 32 bits each (_LINUX_CAPABILITY_VERSION_3); libc has no wrappers.
int linux_kernel::capget(std::uint64_t& permitted) noexcept {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> words{};
    const auto failed = checked(::syscall(SYS_capget, &header, words.data()));
    if (failed < 0) return static_cast<int>(failed);
    permitted = words[0].permitted | std::uint64_t{words[1].permitted} << 32;
    return 0;
}

int linux_kernel::capset(std::uint64_t permitted) noexcept {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    const auto low = static_cast<std::uint32_t>(permitted);
    const auto high = static_cast<std::uint32_t>(permitted >> 32);
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> words{
        {{.effective = low, .permitted = low, .inheritable = 0},
         {.effective = high, .permitted = high, .inheritable = 0}}};
    return static_cast<int>(checked(::syscall(SYS_capset, &header, words.data())));
}

int linux_kernel::drop_bounding_capability(int capability) noexcept {
    return checked(::prctl(PR_CAPBSET_DROP, static_cast<unsigned long>(capability), 0UL, 0UL, 0UL));
}

int linux_kernel::setgroups(std::span<const gid_t> groups) noexcept {
    return static_cast<int>(checked(::syscall(SYS_setgroups, groups.size(), groups.data())));
}

int linux_kernel::setgid(gid_t group) noexcept {
    return static_cast<int>(checked(::syscall(SYS_setresgid, group, group, group)));
}

int linux_kernel::setuid(uid_t user) noexcept {
    return static_cast<int>(checked(::syscall(SYS_setresuid, user, user, user)));
}

int linux_kernel::chroot(const char* path) noexcept {
    return checked(::chroot(path));
}

int linux_kernel::chdir(const char* path) noexcept {
    return checked(::chdir(path));
}

// libc has no wrappers of Landlock's calls.
int linux_kernel::landlock_create_ruleset(const void* attributes, std::size_t size,
                                          unsigned flags) noexcept {
    return static_cast<int>(
        checked(::syscall(SYS_landlock_create_ruleset, attributes, size, flags)));
}

int linux_kernel::landlock_add_path(int ruleset, std::uint64_t allowed, int parent) noexcept {
    const landlock_path_beneath_attr rule{.allowed_access = allowed, .parent_fd = parent};
    return static_cast<int>(
        checked(::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0)));
}

int linux_kernel::landlock_restrict_self(int ruleset) noexcept {
    return static_cast<int>(checked(::syscall(SYS_landlock_restrict_self, ruleset, 0)));
}

int linux_kernel::seccomp(unsigned operation, unsigned flags, void* argument) noexcept {
    return static_cast<int>(checked(::syscall(SYS_seccomp, operation, flags, argument)));
}

int linux_kernel::mmap(void*& into, void* where, std::size_t size, int protection, int flags,
                       int fd, std::uint64_t at) noexcept {
    void* made = ::mmap(where, size, protection, flags, fd, static_cast<off_t>(at));
    if (made == MAP_FAILED) return -errno;
    into = made;
    return 0;
}

int linux_kernel::munmap(void* where, std::size_t size) noexcept {
    return checked(::munmap(where, size));
}

int linux_kernel::madvise(void* where, std::size_t size, int advice) noexcept {
    return checked(::madvise(where, size, advice));
}

int linux_kernel::mincore(void* where, std::size_t size, unsigned char* into) noexcept {
    return checked(::mincore(where, size, into));
}

int linux_kernel::memfd_create(const char* name, unsigned flags) noexcept {
    return checked(::memfd_create(name, flags));
}

int linux_kernel::getrusage(int who, rusage& into) noexcept {
    return checked(::getrusage(static_cast<__rusage_who_t>(who), &into));
}

std::int64_t linux_kernel::process_cpu_ns(pid_t which) noexcept {
    clockid_t clock{};
    if (const int failed = ::clock_getcpuclockid(which, &clock); failed != 0) return -failed;
    return nanoseconds_of(clock);
}

std::int64_t linux_kernel::monotonic_ns() noexcept {
    return nanoseconds_of(CLOCK_MONOTONIC);
}

std::int64_t linux_kernel::wall_ns() noexcept {
    return nanoseconds_of(CLOCK_REALTIME);
}

std::int64_t linux_kernel::thread_cpu_ns() noexcept {
    return nanoseconds_of(CLOCK_THREAD_CPUTIME_ID);
}

std::uint64_t linux_kernel::random() noexcept {
    std::uint64_t bits = 0;
    // So few bytes are never cut short, and a signal does not interrupt them (getrandom(2)).
    static_cast<void>(::getrandom(&bits, sizeof bits, 0));
    return bits;
}

int linux_kernel::start_thread(pthread_t& into, void (*run)(void*), void* argument,
                               std::size_t stack) noexcept {
    std::unique_ptr<thread_start> start{new (std::nothrow) thread_start{run, argument}};
    if (start == nullptr) return -ENOMEM;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    int failed = stack == 0 ? 0 : pthread_attr_setstacksize(&attributes, stack);
    sigset_t all{};
    sigset_t before{};
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (failed == 0) failed = pthread_create(&into, &attributes, &enter, start.get());
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_attr_destroy(&attributes);
    if (failed != 0) return -failed;
    static_cast<void>(start.release());
    return 0;
}

void linux_kernel::join_thread(pthread_t thread) noexcept {
    pthread_join(thread, nullptr);
}

void linux_kernel::detach_thread(pthread_t thread) noexcept {
    pthread_detach(thread);
}

void linux_kernel::yield() noexcept {
    ::sched_yield();
}

void linux_kernel::lock_contended(std::mutex& mutex) noexcept {
    mutex.lock();
}

int linux_kernel::futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                             const timespec* timeout) noexcept {
    return static_cast<int>(
        checked(::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, timeout, nullptr, 0)));
}

void linux_kernel::futex_wake(std::atomic<std::uint32_t>& word, int count) noexcept {
    ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

}  // namespace sluice::os
