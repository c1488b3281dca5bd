// The kernel that sluice runs on.
#pragma once

#include "sluice/os/kernel.hpp"

namespace sluice::os {

/// Linux's system calls. A decorator may take single calls over, to make a fault that no tool
/// makes.
class linux_kernel : public kernel {
 public:
    /// @name Sockets
    /// @{
    int socket(int family, int type, int protocol) noexcept override;
    int socketpair(int family, int type, std::array<int, 2>& ends) noexcept override;
    int bind(int fd, const sockaddr* address, socklen_t size) noexcept override;
    int listen(int fd, int backlog) noexcept override;
    int accept4(int fd, sockaddr* peer, socklen_t* size, int flags) noexcept override;
    int connect(int fd, const sockaddr* address, socklen_t size) noexcept override;
    ssize_t recv(int fd, mutable_bytes memory, int flags) noexcept override;
    ssize_t send(int fd, const_bytes data, int flags) noexcept override;
    ssize_t recvmsg(int fd, msghdr& message, int flags) noexcept override;
    ssize_t sendmsg(int fd, const msghdr& message, int flags) noexcept override;
    int shutdown(int fd, int how) noexcept override;
    int getsockopt(int fd, int level, int name, void* value, socklen_t& size) noexcept override;
    int setsockopt(int fd, int level, int name, const void* value,
                   socklen_t size) noexcept override;
    int getsockname(int fd, sockaddr* address, socklen_t& size) noexcept override;
    int getpeername(int fd, sockaddr* address, socklen_t& size) noexcept override;
    /// @}

    /// @name Descriptors and waiting
    /// @{
    int close(int fd) noexcept override;
    int close_range(unsigned first, unsigned last) noexcept override;
    int dup2(int from, int to) noexcept override;
    int fcntl(int fd, int command, long argument) noexcept override;
    int fcntl_lock(int fd, int command, struct flock& lock) noexcept override;
    int ioctl(int fd, unsigned long request, void* argument) noexcept override;
    int pipe2(std::array<int, 2>& ends, int flags) noexcept override;
    int eventfd(unsigned initial, int flags) noexcept override;
    int signalfd(int fd, const sigset_t& signals, int flags) noexcept override;
    int timerfd_create(int clock, int flags) noexcept override;
    int timerfd_settime(int fd, int flags, const itimerspec& value) noexcept override;
    int epoll_create1(int flags) noexcept override;
    int epoll_ctl(int fd, int operation, int of, epoll_event* event) noexcept override;
    int epoll_pwait2(int fd, std::span<epoll_event> events,
                     const timespec* timeout) noexcept override;
    int epoll_wait(int fd, std::span<epoll_event> events, int timeout) noexcept override;
    int ppoll(std::span<pollfd> watched, const timespec* timeout,
              const sigset_t* mask) noexcept override;
    ssize_t read(int fd, mutable_bytes memory) noexcept override;
    ssize_t write(int fd, const_bytes data) noexcept override;
    /// @}

    /// @name Rings
    /// @{
    int io_uring_setup(unsigned entries, io_uring_params& parameters) noexcept override;
    int io_uring_enter(int fd, unsigned submitted, unsigned awaited, unsigned flags,
                       const io_uring_getevents_arg* argument) noexcept override;
    int io_uring_register(int fd, unsigned operation, void* argument,
                          unsigned count) noexcept override;
    /// @}

    /// @name Files
    /// @{
    ssize_t pread(int fd, mutable_bytes memory, std::uint64_t at) noexcept override;
    ssize_t pwrite(int fd, const_bytes data, std::uint64_t at) noexcept override;
    ssize_t sendfile(int to, int from, off_t* at, std::size_t count) noexcept override;
    ssize_t splice(int from, off_t* from_at, int to, off_t* to_at, std::size_t count,
                   unsigned flags) noexcept override;
    ssize_t copy_file_range(int from, off_t* from_at, int to, off_t* to_at,
                            std::size_t count) noexcept override;
    off_t lseek(int fd, off_t at, int whence) noexcept override;
    int fstat(int fd, struct stat& into) noexcept override;
    int fstatvfs(int fd, struct statvfs& into) noexcept override;
    int ftruncate(int fd, std::uint64_t size) noexcept override;
    int fallocate(int fd, int mode, std::uint64_t at, std::uint64_t size) noexcept override;
    int fsync(int fd) noexcept override;
    int fdatasync(int fd) noexcept override;
    int syncfs(int fd) noexcept override;
    void sync() noexcept override;
    int sync_file_range(int fd, std::uint64_t at, std::uint64_t size,
                        unsigned flags) noexcept override;
    int posix_fadvise(int fd, std::uint64_t at, std::uint64_t size, int advice) noexcept override;
    std::int64_t cached_bytes(int fd, std::uint64_t at, std::uint64_t size) noexcept override;
    int flock(int fd, int operation) noexcept override;
    int fchown(int fd, uid_t owner, gid_t group) noexcept override;
    int futimens(int fd, const std::array<timespec, 2>& times) noexcept override;
    ssize_t fgetxattr(int fd, const char* name, void* value, std::size_t size) noexcept override;
    int fsetxattr(int fd, const char* name, const void* value, std::size_t size) noexcept override;
    int fremovexattr(int fd, const char* name) noexcept override;
    /// @}

    /// @name Names
    /// @{
    int openat(int directory, const char* path, int flags, mode_t mode) noexcept override;
    int openat2(int directory, const char* path, int flags, mode_t mode,
                std::uint64_t resolve) noexcept override;
    int fstatat(int directory, const char* path, struct stat& into, int flags) noexcept override;
    int mount_of(int fd, std::uint64_t& number, dev_t& device) noexcept override;
    int faccessat(int directory, const char* path, int mode, int flags) noexcept override;
    ssize_t readlinkat(int directory, const char* path, std::span<char> into) noexcept override;
    int mkdirat(int directory, const char* path, mode_t mode) noexcept override;
    int fchownat(int directory, const char* path, uid_t owner, gid_t group) noexcept override;
    int unlinkat(int directory, const char* path, int flags) noexcept override;
    int linkat(int from, const char* old_path, int to, const char* new_path,
               int flags) noexcept override;
    int renameat2(int from, const char* old_path, int to, const char* new_path,
                  unsigned flags) noexcept override;
    ssize_t getdents64(int fd, mutable_bytes memory) noexcept override;
    int realpath(const char* path, std::string& into) noexcept override;
    mode_t umask(mode_t mask) noexcept override;
    /// @}

    /// @name Processes
    /// @{
    pid_t fork() noexcept override;
    pid_t getpid() noexcept override;
    pid_t getppid() noexcept override;
    pid_t getpgrp() noexcept override;
    pid_t spawn(const spawn_plan& plan) noexcept override;
    pid_t waitpid(pid_t which, int* status, int options) noexcept override;
    int execve(const char* path, char* const* arguments,
               char* const* environment) noexcept override;
    [[noreturn]] void exit_group(int status) noexcept override;
    uid_t getuid() noexcept override;
    uid_t geteuid() noexcept override;
    int kill(pid_t which, int signal) noexcept override;
    int raise(int signal) noexcept override;
    int pidfd_open(pid_t which) noexcept override;
    int uname(utsname& into) noexcept override;
    int prctl(int option, unsigned long argument) noexcept override;
    int setsid() noexcept override;
    int sigaction(int signal, const struct sigaction* now,
                  struct sigaction* before) noexcept override;
    int mask_signals(int how, const sigset_t* now, sigset_t* before) noexcept override;
    int getrlimit(int resource, rlimit& into) noexcept override;
    int setrlimit(int resource, const rlimit& limit) noexcept override;
    int prlimit(pid_t which, int resource, const rlimit& limit) noexcept override;
    int sched_getaffinity(cpu_set_t& into, std::size_t size) noexcept override;
    int sched_setaffinity(const cpu_set_t& set) noexcept override;
    int lower_priority(int nice) noexcept override;

    int capget(std::uint64_t& permitted) noexcept override;
    int capset(std::uint64_t permitted) noexcept override;
    int drop_bounding_capability(int capability) noexcept override;
    int setgroups(std::span<const gid_t> groups) noexcept override;
    int setgid(gid_t group) noexcept override;
    int setuid(uid_t user) noexcept override;
    int chroot(const char* path) noexcept override;
    int chdir(const char* path) noexcept override;
    int landlock_create_ruleset(const void* attributes, std::size_t size,
                                unsigned flags) noexcept override;
    int landlock_add_path(int ruleset, std::uint64_t allowed, int parent) noexcept override;
    int landlock_restrict_self(int ruleset) noexcept override;
    int seccomp(unsigned operation, unsigned flags, void* argument) noexcept override;
    /// @}

    /// @name Memory
    /// @{
    int mmap(void*& into, void* where, std::size_t size, int protection, int flags, int fd,
             std::uint64_t at) noexcept override;
    int munmap(void* where, std::size_t size) noexcept override;
    int madvise(void* where, std::size_t size, int advice) noexcept override;
    int mincore(void* where, std::size_t size, unsigned char* into) noexcept override;
    int memfd_create(const char* name, unsigned flags) noexcept override;
    /// @}

    /// @name Measuring
    /// @{
    int getrusage(int who, rusage& into) noexcept override;
    std::int64_t process_cpu_ns(pid_t which) noexcept override;
    /// @}

    /// @name Clocks and random numbers
    /// @{
    std::int64_t monotonic_ns() noexcept override;
    std::int64_t wall_ns() noexcept override;
    std::int64_t thread_cpu_ns() noexcept override;
    std::uint64_t random() noexcept override;
    /// @}

    /// @name Threads
    /// @{
    int start_thread(pthread_t& into, void (*run)(void*), void* argument,
                     std::size_t stack) noexcept override;
    void join_thread(pthread_t thread) noexcept override;
    void detach_thread(pthread_t thread) noexcept override;
    void yield() noexcept override;
    void lock_contended(std::mutex& mutex) noexcept override;
    int futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                   const timespec* timeout) noexcept override;
    void futex_wake(std::atomic<std::uint32_t>& word, int count) noexcept override;
    /// @}
};

}  // namespace sluice::os
