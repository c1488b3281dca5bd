// The seam below the program: each system call, clock, random number and thread as a virtual
// function, so that tests can put another kernel in the place of Linux.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/utsname.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <span>
#include <string>

#include "sluice/base/bytes.hpp"

struct io_uring_getevents_arg;
struct io_uring_params;

namespace sluice::os {

/// A program that kernel::spawn() starts. The caller owns all of it.
struct spawn_plan {
    const char* file = nullptr;            ///< looked up in PATH, if there is no slash in it
    char* const* arguments = nullptr;      ///< a null pointer at the end
    char* const* environment = nullptr;    ///< as above: "NAME=value"
    std::array<int, 3> standard_fds = {};  ///< become its stdin, stdout and stderr
};

/// A kernel. Each function is the system call of its name, with its arguments and its meaning (its
/// man page, section 2), and returns n, or -errno: errno itself is never read. Any thread.
///
/// Descriptors are closed by destructors, which know no engine; so there is one kernel per process,
/// sys(), and not one per engine.
class kernel {
 public:
    kernel() = default;
    kernel(const kernel&) = delete;
    kernel& operator=(const kernel&) = delete;
    virtual ~kernel() = default;

    /// @name Sockets
    /// @{
    virtual int socket(int family, int type, int protocol) noexcept = 0;
    virtual int socketpair(int family, int type, std::array<int, 2>& ends) noexcept = 0;
    virtual int bind(int fd, const sockaddr* address, socklen_t size) noexcept = 0;
    virtual int listen(int fd, int backlog) noexcept = 0;
    /// `peer` and `size` may be null.
    virtual int accept4(int fd, sockaddr* peer, socklen_t* size, int flags) noexcept = 0;
    virtual int connect(int fd, const sockaddr* address, socklen_t size) noexcept = 0;
    virtual ssize_t recv(int fd, mutable_bytes memory, int flags) noexcept = 0;
    virtual ssize_t send(int fd, const_bytes data, int flags) noexcept = 0;
    virtual ssize_t recvmsg(int fd, msghdr& message, int flags) noexcept = 0;
    virtual ssize_t sendmsg(int fd, const msghdr& message, int flags) noexcept = 0;
    virtual int shutdown(int fd, int how) noexcept = 0;
    virtual int getsockopt(int fd, int level, int name, void* value, socklen_t& size) noexcept = 0;
    virtual int setsockopt(int fd, int level, int name, const void* value,
                           socklen_t size) noexcept = 0;
    virtual int getsockname(int fd, sockaddr* address, socklen_t& size) noexcept = 0;
    virtual int getpeername(int fd, sockaddr* address, socklen_t& size) noexcept = 0;
    /// @}

    /// @name Descriptors and waiting
    /// @{
    virtual int close(int fd) noexcept = 0;
    virtual int close_range(unsigned first, unsigned last) noexcept = 0;
    virtual int dup2(int from, int to) noexcept = 0;
    virtual int fcntl(int fd, int command, long argument = 0) noexcept = 0;
    /// For F_OFD_SETLK and F_OFD_GETLK.
    virtual int fcntl_lock(int fd, int command, struct flock& lock) noexcept = 0;
    /// `argument` is what the request says (ioctl_tty(2), tcp(7)).
    virtual int ioctl(int fd, unsigned long request, void* argument) noexcept = 0;
    virtual int pipe2(std::array<int, 2>& ends, int flags) noexcept = 0;
    virtual int eventfd(unsigned initial, int flags) noexcept = 0;
    virtual int signalfd(int fd, const sigset_t& signals, int flags) noexcept = 0;
    virtual int timerfd_create(int clock, int flags) noexcept = 0;
    virtual int timerfd_settime(int fd, int flags, const itimerspec& value) noexcept = 0;
    virtual int epoll_create1(int flags) noexcept = 0;
    /// `event` may be null for EPOLL_CTL_DEL alone.
    virtual int epoll_ctl(int fd, int operation, int of, epoll_event* event) noexcept = 0;
    /// `timeout` is null to wait without end. Signals stay as they are masked.
    virtual int epoll_pwait2(int fd, std::span<epoll_event> events,
                             const timespec* timeout) noexcept = 0;
    /// In milliseconds, -1 without end; for kernels without epoll_pwait2(2).
    virtual int epoll_wait(int fd, std::span<epoll_event> events, int timeout) noexcept = 0;
    /// `timeout` is null to wait without end.
    int ppoll(std::span<pollfd> watched, const timespec* timeout) noexcept {
        return ppoll(watched, timeout, nullptr);
    }
    /// While it waits, the calling thread's signals are masked by `mask`; null leaves them.
    virtual int ppoll(std::span<pollfd> watched, const timespec* timeout,
                      const sigset_t* mask) noexcept = 0;
    virtual ssize_t read(int fd, mutable_bytes memory) noexcept = 0;
    virtual ssize_t write(int fd, const_bytes data) noexcept = 0;
    /// @}

    /// @name Rings
    /// @{
    virtual int io_uring_setup(unsigned entries, io_uring_params& parameters) noexcept = 0;
    /// `argument` is null without IORING_ENTER_EXT_ARG. Signals stay as they are masked.
    virtual int io_uring_enter(int fd, unsigned submitted, unsigned awaited, unsigned flags,
                               const io_uring_getevents_arg* argument) noexcept = 0;
    /// `argument` and `count` are what the operation says.
    virtual int io_uring_register(int fd, unsigned operation, void* argument,
                                  unsigned count) noexcept = 0;
    /// @}

    /// @name Files
    /// @{
    virtual ssize_t pread(int fd, mutable_bytes memory, std::uint64_t at) noexcept = 0;
    virtual ssize_t pwrite(int fd, const_bytes data, std::uint64_t at) noexcept = 0;
    virtual ssize_t sendfile(int to, int from, off_t* at, std::size_t count) noexcept = 0;
    virtual ssize_t splice(int from, off_t* from_at, int to, off_t* to_at, std::size_t count,
                           unsigned flags) noexcept = 0;
    virtual ssize_t copy_file_range(int from, off_t* from_at, int to, off_t* to_at,
                                    std::size_t count) noexcept = 0;
    virtual off_t lseek(int fd, off_t at, int whence) noexcept = 0;
    virtual int fstat(int fd, struct stat& into) noexcept = 0;
    virtual int fstatvfs(int fd, struct statvfs& into) noexcept = 0;
    virtual int ftruncate(int fd, std::uint64_t size) noexcept = 0;
    virtual int fallocate(int fd, int mode, std::uint64_t at, std::uint64_t size) noexcept = 0;
    virtual int fsync(int fd) noexcept = 0;
    virtual int fdatasync(int fd) noexcept = 0;
    virtual int syncfs(int fd) noexcept = 0;
    virtual void sync() noexcept = 0;
    virtual int sync_file_range(int fd, std::uint64_t at, std::uint64_t size,
                                unsigned flags) noexcept = 0;
    virtual int posix_fadvise(int fd, std::uint64_t at, std::uint64_t size,
                              int advice) noexcept = 0;
    /// Bytes of the range that are in the page cache (cachestat(2)); -ENOSYS before Linux 6.5.
    virtual std::int64_t cached_bytes(int fd, std::uint64_t at, std::uint64_t size) noexcept = 0;
    virtual int flock(int fd, int operation) noexcept = 0;
    virtual int fchown(int fd, uid_t owner, gid_t group) noexcept = 0;
    virtual int futimens(int fd, const std::array<timespec, 2>& times) noexcept = 0;
    virtual ssize_t fgetxattr(int fd, const char* name, void* value, std::size_t size) noexcept = 0;
    virtual int fsetxattr(int fd, const char* name, const void* value,
                          std::size_t size) noexcept = 0;
    virtual int fremovexattr(int fd, const char* name) noexcept = 0;
    /// @}

    /// @name Names
    /// @{
    virtual int openat(int directory, const char* path, int flags, mode_t mode = 0) noexcept = 0;
    /// With `resolve` of openat2(2), such as RESOLVE_BENEATH.
    virtual int openat2(int directory, const char* path, int flags, mode_t mode,
                        std::uint64_t resolve) noexcept = 0;
    virtual int fstatat(int directory, const char* path, struct stat& into, int flags) noexcept = 0;
    /// The mount that `fd` lies on: its number (statx(2), STATX_MNT_ID_UNIQUE or STATX_MNT_ID; 0
    /// from a kernel that tells none) and its device.
    virtual int mount_of(int fd, std::uint64_t& number, dev_t& device) noexcept = 0;
    virtual int faccessat(int directory, const char* path, int mode, int flags) noexcept = 0;
    /// The target is cut to the size of `into`, and no '\0' follows it.
    virtual ssize_t readlinkat(int directory, const char* path, std::span<char> into) noexcept = 0;
    virtual int mkdirat(int directory, const char* path, mode_t mode) noexcept = 0;
    /// Does not follow links (AT_SYMLINK_NOFOLLOW).
    virtual int fchownat(int directory, const char* path, uid_t owner, gid_t group) noexcept = 0;
    virtual int unlinkat(int directory, const char* path, int flags) noexcept = 0;
    virtual int linkat(int from, const char* old_path, int to, const char* new_path,
                       int flags) noexcept = 0;
    virtual int renameat2(int from, const char* old_path, int to, const char* new_path,
                          unsigned flags) noexcept = 0;
    /// Entries as `struct linux_dirent64`; 0 at the end (getdents64(2)).
    virtual ssize_t getdents64(int fd, mutable_bytes memory) noexcept = 0;
    /// The path without links (realpath(3)).
    virtual int realpath(const char* path, std::string& into) noexcept = 0;
    virtual mode_t umask(mode_t mask) noexcept = 0;
    /// @}

    /// @name Processes
    /// @{
    virtual pid_t fork() noexcept = 0;
    virtual pid_t getpid() noexcept = 0;
    virtual pid_t getppid() noexcept = 0;
    virtual pid_t getpgrp() noexcept = 0;
    /// posix_spawnp(3): the new process, or -errno. It leads a process group, blocks no signals,
    /// handles and ignores none, and has no other descriptors than the three of the plan.
    virtual pid_t spawn(const spawn_plan& plan) noexcept = 0;
    virtual pid_t waitpid(pid_t which, int* status, int options) noexcept = 0;
    /// Returns on an error only.
    virtual int execve(const char* path, char* const* arguments,
                       char* const* environment) noexcept = 0;
    /// Ends the process at once: no destructor runs, no buffer is written.
    [[noreturn]] virtual void exit_group(int status) noexcept = 0;
    virtual uid_t getuid() noexcept = 0;
    virtual uid_t geteuid() noexcept = 0;
    virtual int kill(pid_t which, int signal) noexcept = 0;
    /// Sends a signal to the calling thread (raise(3)).
    virtual int raise(int signal) noexcept = 0;
    virtual int pidfd_open(pid_t which) noexcept = 0;
    virtual int uname(utsname& into) noexcept = 0;
    virtual int prctl(int option, unsigned long argument) noexcept = 0;
    virtual int setsid() noexcept = 0;
    virtual int sigaction(int signal, const struct sigaction* now,
                          struct sigaction* before) noexcept = 0;
    /// Of the calling thread (pthread_sigmask(3)).
    virtual int mask_signals(int how, const sigset_t* now, sigset_t* before) noexcept = 0;
    virtual int getrlimit(int resource, rlimit& into) noexcept = 0;
    virtual int setrlimit(int resource, const rlimit& limit) noexcept = 0;
    /// Sets a limit of another process.
    virtual int prlimit(pid_t which, int resource, const rlimit& limit) noexcept = 0;
    /// `size` in bytes is larger where the set is from CPU_ALLOC(3).
    virtual int sched_getaffinity(cpu_set_t& into,
                                  std::size_t size = sizeof(cpu_set_t)) noexcept = 0;
    virtual int sched_setaffinity(const cpu_set_t& set) noexcept = 0;
    /// The calling thread's nice value (setpriority(2), "C library/kernel differences"); 20 stands
    /// for SCHED_IDLE (sched(7)). It is never made better than it was.
    virtual int lower_priority(int nice) noexcept = 0;
    /// @}

    /// @name What a thread may do
    /// @{
    /// The capabilities that the calling thread may use, a bit each (capget(2)).
    virtual int capget(std::uint64_t& permitted) noexcept = 0;
    /// Makes `permitted` those that the calling thread may use and does use; programs that it
    /// starts inherit none (capset(2)).
    virtual int capset(std::uint64_t permitted) noexcept = 0;
    /// Removes a capability from those that the calling thread can ever get back
    /// (PR_CAPBSET_DROP).
    virtual int drop_bounding_capability(int capability) noexcept = 0;
    /// Of the calling thread alone, as the system calls are: the wrappers of libc would change all
    /// threads.
    virtual int setgroups(std::span<const gid_t> groups) noexcept = 0;
    /// Real, effective and saved, of the calling thread alone (setresgid(2)).
    virtual int setgid(gid_t group) noexcept = 0;
    /// Real, effective and saved, of the calling thread alone (setresuid(2)).
    virtual int setuid(uid_t user) noexcept = 0;
    virtual int chroot(const char* path) noexcept = 0;
    virtual int chdir(const char* path) noexcept = 0;
    /// `attributes` is a landlock_ruleset_attr of `size` bytes, as the running kernel knows it;
    /// null with LANDLOCK_CREATE_RULESET_VERSION.
    virtual int landlock_create_ruleset(const void* attributes, std::size_t size,
                                        unsigned flags) noexcept = 0;
    /// Adds a rule of LANDLOCK_RULE_PATH_BENEATH: `allowed` below the open `parent`.
    virtual int landlock_add_path(int ruleset, std::uint64_t allowed, int parent) noexcept = 0;
    /// Of the calling thread, and what it starts.
    virtual int landlock_restrict_self(int ruleset) noexcept = 0;
    /// `argument` is what the operation says.
    virtual int seccomp(unsigned operation, unsigned flags, void* argument) noexcept = 0;
    /// @}

    /// @name Memory
    /// @{
    /// `into` becomes the address; unchanged on an error.
    virtual int mmap(void*& into, void* where, std::size_t size, int protection, int flags, int fd,
                     std::uint64_t at) noexcept = 0;
    virtual int munmap(void* where, std::size_t size) noexcept = 0;
    virtual int madvise(void* where, std::size_t size, int advice) noexcept = 0;
    virtual int mincore(void* where, std::size_t size, unsigned char* into) noexcept = 0;
    virtual int memfd_create(const char* name, unsigned flags) noexcept = 0;
    /// @}

    /// @name Measuring
    /// @{
    virtual int getrusage(int who, rusage& into) noexcept = 0;
    /// Nanoseconds of CPU that a process has used, or -errno (clock_getcpuclockid(3)); 0 is the
    /// calling process.
    virtual std::int64_t process_cpu_ns(pid_t which) noexcept = 0;
    /// @}

    /// @name Clocks and random numbers
    /// @{
    /// Nanoseconds of CLOCK_MONOTONIC.
    virtual std::int64_t monotonic_ns() noexcept = 0;
    /// Nanoseconds since 1970 (CLOCK_REALTIME). May jump.
    virtual std::int64_t wall_ns() noexcept = 0;
    /// Nanoseconds of CPU that the calling thread has used (CLOCK_THREAD_CPUTIME_ID).
    virtual std::int64_t thread_cpu_ns() noexcept = 0;
    /// Unpredictable bits (getrandom(2)).
    virtual std::uint64_t random() noexcept = 0;
    /// @}

    /// @name Threads
    /// @{
    /// Runs `run(argument)` on a new thread with all signals blocked. `stack` is in bytes; 0 is the
    /// usual size. `into` identifies it for join_thread(). EAGAIN if there can be no more.
    virtual int start_thread(pthread_t& into, void (*run)(void*), void* argument,
                             std::size_t stack) noexcept = 0;
    /// Waits for the thread's end. Once for each thread that was started.
    virtual void join_thread(pthread_t thread) noexcept = 0;
    /// Lets the thread run on without a join. Once, in place of join_thread().
    virtual void detach_thread(pthread_t thread) noexcept = 0;
    /// Gives the core to others (sched_yield(2)).
    virtual void yield() noexcept = 0;
    /// Locks a mutex that another thread holds.
    virtual void lock_contended(std::mutex& mutex) noexcept = 0;
    /// FUTEX_WAIT among threads of the process: returns when woken, when `word` is not `expected`,
    /// after `timeout` (null: none), or for no reason.
    virtual int futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                           const timespec* timeout) noexcept = 0;
    /// FUTEX_WAKE of at most `count` waiters.
    virtual void futex_wake(std::atomic<std::uint32_t>& word, int count) noexcept = 0;
    /// @}
};

namespace detail {
extern kernel* current;
}  // namespace detail

/// The kernel of this process: Linux, unless a test has put another one in its place.
[[nodiscard]] inline kernel& sys() noexcept {
    return *detail::current;
}

/// Ends the process at once: no destructor runs, no buffer is written (_exit(2)).
[[noreturn]] inline void exit_at_once(int status) noexcept {
    sys().exit_group(status);
    // g++ 12 forgets that a virtual function does not return.
    std::abort();
}

/// Makes `k` the kernel of this process until it dies; one at a time, while the process has one
/// thread. For tests.
class kernel_in_place {
 public:
    explicit kernel_in_place(kernel& k) noexcept;
    kernel_in_place(const kernel_in_place&) = delete;
    kernel_in_place& operator=(const kernel_in_place&) = delete;
    ~kernel_in_place();

 private:
    kernel* before_;
};

}  // namespace sluice::os
