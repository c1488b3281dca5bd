// The simulated kernel: os::kernel on virtual time and one seed, for tests.
#pragma once

#include <cerrno>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/os/kernel.hpp"
#include "sluice/os/linux_kernel.hpp"
#include "sluice/sim/description.hpp"
#include "sluice/sim/disk.hpp"
#include "sluice/sim/fault_rates.hpp"
#include "sluice/sim/network.hpp"
#include "sluice/sim/process.hpp"
#include "sluice/sim/random.hpp"
#include "sluice/sim/scheduler.hpp"
#include "sluice/sim/trace.hpp"

struct io_uring_rsrc_update;

namespace sluice::sim {

class uring;

/// A kernel below simulated processes, all on the OS thread that runs the scheduler. Every choice
/// is drawn from the seed. A fiber gives up the core only inside a call: where it waits, and where
/// the seed says so. Outside of fibers only the calls for memory and clocks work; others return
/// -ESRCH.
class simulated_kernel final : public os::kernel {
 public:
    simulated_kernel(std::uint64_t seed, const fault_rates& faults, bool keep_trace);
    ~simulated_kernel() override = default;
    /// Ends all processes and fibers, where they are, and closes all descriptors.
    void shut() noexcept;

    /// @name The parts
    /// @{
    [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }
    [[nodiscard]] sim::random& chance() noexcept { return random_; }
    [[nodiscard]] sim::scheduler& scheduler() noexcept { return scheduler_; }
    [[nodiscard]] sim::trace& trace() noexcept { return trace_; }
    [[nodiscard]] fault_rates& faults() noexcept { return faults_; }
    [[nodiscard]] sim::network& network() noexcept { return network_; }
    /// That of the machine: all processes share it.
    [[nodiscard]] sim::disk& disk() noexcept { return *disk_; }
    /// From now on no fault happens, and what stands still goes on; what is broken or gone stays
    /// so. Processes of which `stays` is true stand still for good if they do now, and so does what
    /// is on its way to them: their windows are closed.
    void heal(const std::function<bool(const process&)>& stays = [](const process&) {
        return false;
    });
    /// The disk becomes what a power loss leaves of it. All processes have crashed before.
    void power_loss();
    /// Runs `hook` at the beginning of each call, in the fiber that makes it; none if it is empty.
    void before_call(std::function<void()> hook) { before_call_ = std::move(hook); }
    /// The process whose fiber runs; there is one in every call that reaches it.
    [[nodiscard]] process& current() noexcept { return *scheduler_.current()->owner; }
    /// @}

    /// @name For the implementations of calls
    /// @{
    /// Makes one call: lets a few microseconds pass, perhaps other fibers run and signals arrive,
    /// then runs `body`, and adds it to the trace with `arguments`. The result is that of `body`.
    template <class Body>
    auto call(const char* name, std::initializer_list<std::int64_t> arguments, Body body,
              std::string_view text = {}) noexcept -> decltype(body());
    /// The description of `fd` in the current process; nullptr: EBADF.
    [[nodiscard]] std::shared_ptr<description> find(int fd) noexcept {
        return current().table().find(fd);
    }
    /// Gives `d` the lowest free number; -EMFILE.
    int install(std::shared_ptr<description> d, bool close_on_exec) noexcept {
        return current().table().add(std::move(d), close_on_exec);
    }
    /// 0, or the error of a call that makes a descriptor.
    int shortage() noexcept;
    /// Lets the calling fiber wait for `time`, as for a disk.
    void take_time(virtual_time time, const char* name) noexcept;
    /// Waits until one of `events` of `d` may have come: 0; -EAGAIN at `until`; -EINTR; -ERESTART
    /// if a handler ran after which the call goes on (SA_RESTART), unless it is one that never
    /// does.
    int wait_for(description& d, short events, virtual_time until, const char* name,
                 std::int64_t fd) noexcept;
    /// Waits until `q` is told of something. False at `until`.
    bool wait_in(wait_queue& q, virtual_time until, const char* name, std::int64_t of) noexcept;
    /// The deadline of a call that waits for `timeout`; null: none.
    [[nodiscard]] virtual_time deadline_of(const timespec* timeout) const noexcept;
    /// Calls `attempt` until it returns something else than -EAGAIN, waiting for `events` of `d`
    /// between, unless `d` does not block. Its last result; -EINTR.
    template <class Attempt>
    ssize_t until_done(description& d, short events, const char* name, std::int64_t fd,
                       Attempt attempt) noexcept;
    /// @}

    /// Starts a process; its main fiber runs `run`. Owned by the kernel.
    process& start_process(std::string name, std::function<void()> run);
    /// Puts an executable file at the absolute `path`, for spawn(): `run` is its main function, and
    /// returns its exit status. It runs as the only fiber of a process of its own, may be killed at
    /// each of its calls, and is not unwound then.
    void add_program(std::string path, std::function<int()> run);
    [[nodiscard]] const std::vector<std::unique_ptr<process>>& processes() const noexcept {
        return processes_;
    }
    /// True if a descriptor of any process refers to `d`.
    [[nodiscard]] bool is_open(const description& d) const noexcept;

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
    void sync() noexcept override;
    int syncfs(int fd) noexcept override;
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
    int mkdirat(int directory, const char* path, mode_t mode) noexcept override;
    int fchownat(int directory, const char* path, uid_t owner, gid_t group) noexcept override;
    int unlinkat(int directory, const char* path, int flags) noexcept override;
    int linkat(int from, const char* old_path, int to, const char* new_path,
               int flags) noexcept override;
    int renameat2(int from, const char* old_path, int to, const char* new_path,
                  unsigned flags) noexcept override;
    ssize_t getdents64(int fd, mutable_bytes memory) noexcept override;
    int realpath(const char* path, std::string& into) noexcept override;
    ssize_t readlinkat(int directory, const char* path, std::span<char> into) noexcept override;
    mode_t umask(mode_t mask) noexcept override;
    /// @}

    /// @name Processes
    /// @{
    pid_t fork() noexcept override;
    pid_t getpid() noexcept override;
    pid_t getppid() noexcept override;
    pid_t getpgrp() noexcept override;
    pid_t spawn(const os::spawn_plan& plan) noexcept override;
    pid_t waitpid(pid_t which, int* status, int options) noexcept override;
    int execve(const char* path, char* const* arguments,
               char* const* environment) noexcept override;
    [[noreturn]] void exit_group(int status) noexcept override;
    uid_t getuid() noexcept override;
    uid_t geteuid() noexcept override;
    int kill(pid_t which, int signal) noexcept override;
    int raise(int signal) noexcept override;
    int pidfd_open(pid_t which) noexcept override;
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
    int setuid(uid_t wanted) noexcept override;
    int chroot(const char* path) noexcept override;
    int chdir(const char* path) noexcept override;
    int landlock_create_ruleset(const void* attributes, std::size_t size,
                                unsigned flags) noexcept override;
    int landlock_add_path(int ruleset, std::uint64_t allowed, int parent) noexcept override;
    int landlock_restrict_self(int ruleset) noexcept override;
    int seccomp(unsigned operation, unsigned flags, void* argument) noexcept override;
    int uname(utsname& into) noexcept override;
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

 private:
    friend class process;

    /// SIGPIPE for the calling thread, as it writes where no reader is. One that blocks it never
    /// hears of it.
    void break_pipe() noexcept;
    /// The process of that number, which may be over; nullptr.
    [[nodiscard]] process* process_of(pid_t number) noexcept;
    /// A call begins. False outside of fibers.
    bool enter() noexcept;
    /// Gives `d` a number, unless the seed says that there is none.
    int make(std::shared_ptr<description> d, bool close_on_exec) noexcept;
    int sync_file(int fd, const char* name, bool data_only) noexcept;
    int start_of(int directory, std::string_view path, inode_ref& into) noexcept;
    [[nodiscard]] std::string boot_id() const;
    int open_path(int directory, std::string_view path, int flags, mode_t mode,
                  std::uint64_t resolve) noexcept;
    /// The socket of `fd`: nullptr and `error`.
    std::shared_ptr<tcp_socket> socket_of(int fd, int& error) noexcept;
    ssize_t send_all(const std::shared_ptr<tcp_socket>& s, int fd, const_bytes data,
                     bool waits) noexcept;
    /// The ring of the current thread that `fd` is, or that is registered as `fd`: nullptr and
    /// `error`.
    std::shared_ptr<uring> ring_of(int fd, bool registered, int& error) noexcept;
    int register_ring(const std::shared_ptr<uring>& ring, io_uring_rsrc_update& slot) noexcept;
    int wait_in_epoll(int fd, std::span<epoll_event> events, virtual_time until) noexcept;
    int poll_all(std::span<pollfd> watched, virtual_time until) noexcept;
    /// poll(2) looks at one descriptor after the other: before it looks at that of a child, the
    /// child may print and end. True if time has passed.
    bool pause_in_poll(int fd) noexcept;
    bool poll_now(pollfd& p) noexcept;

    struct sleeper;  // in futex_wait()

    os::linux_kernel real_;  // for memory
    std::uint64_t seed_;
    sim::random random_;
    sim::trace trace_;
    sim::scheduler scheduler_;
    fault_rates faults_;
    sim::network network_;
    std::vector<std::unique_ptr<sim::disk>> lost_disks_;  // descriptions of then may refer to them
    std::unique_ptr<sim::disk> disk_ = std::make_unique<sim::disk>(
        disk_options{}, random_, [this] { return scheduler_.now() + wall_offset_; });
    std::uint64_t last_opened_ = 0;  // file, of all
    mode_t umask_ = 022;
    std::function<void()> before_call_;
    std::vector<std::unique_ptr<process>> processes_;
    std::map<std::string, std::function<int()>, std::less<>> programs_;  // by their paths
    double preemption_;
    std::int64_t wall_offset_;
    std::vector<sleeper*> sleepers_;
    std::vector<std::weak_ptr<uring>> registered_rings_;  // by the numbers that threads know
    std::optional<int> ring_refusal_;                     // 0 or -errno, from the first try on
};

template <class Body>
auto simulated_kernel::call(const char* name, std::initializer_list<std::int64_t> arguments,
                            Body body, std::string_view text) noexcept -> decltype(body()) {
    using result = decltype(body());
    if (!enter()) return static_cast<result>(-ESRCH);
    const result r = body();
    const fiber* f = scheduler_.current();
    trace_.add({.time = scheduler_.now(), .process = f->owner->id(), .fiber = f->id}, name,
               arguments, static_cast<std::int64_t>(r), text);
    return r;
}

template <class Attempt>
ssize_t simulated_kernel::until_done(description& d, short events, const char* name,
                                     std::int64_t fd, Attempt attempt) noexcept {
    for (;;) {
        const ssize_t n = attempt();
        if (n != -EAGAIN || !d.blocks()) return n;
        const int failed = wait_for(d, events, never, name, fd);
        if (failed < 0 && failed != -ERESTART) return failed;
    }
}

}  // namespace sluice::sim
