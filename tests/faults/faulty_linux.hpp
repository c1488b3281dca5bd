// Linux with faults from a seed: calls that fail, or do a part, as they do once in a year.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/os/linux_kernel.hpp"
#include "sluice/sim/random.hpp"

namespace sluice::faults {

/// What a faulty_linux does. Each fault is one that the man page of its call allows.
enum class call_fault : std::uint8_t {
    interrupted,    ///< EINTR of calls that wait, and on files, as on those of a network
    short_call,     ///< reads, writes, splices and copies of 1..n bytes
    not_ready,      ///< EAGAIN where there is something, which is told again (epoll(7), edges)
    broken_disk,    ///< EIO of files and names
    no_space,       ///< ENOSPC, EDQUOT
    no_descriptor,  ///< EMFILE, ENFILE, ENOBUFS, ENOMEM of accept4, socket, open, pipe ...
    no_process,     ///< fork, spawn and start_thread: EAGAIN, ENOMEM
    no_memory,      ///< ENOMEM of mmap and epoll_ctl
    aborted,        ///< accept4: ECONNABORTED, EPROTO, EHOSTUNREACH
    wall_jump,      ///< the wall clock is off by up to a day
};

/// Their names in a specification, in their order.
inline constexpr auto call_fault_names = std::to_array<std::string_view>({
    "interrupted",
    "short",
    "not_ready",
    "broken_disk",
    "no_space",
    "no_descriptor",
    "no_process",
    "no_memory",
    "aborted",
    "wall_jump",
});

/// Which faults happen how often, and when.
struct fault_plan {
    std::uint64_t seed = 0;
    /// A probability per call, of each call_fault.
    std::array<double, call_fault_names.size()> rates{};
    /// The file of a fault_board; none if empty.
    std::string board;

    /// Reads `SEED[:CLASS,...][@FILE]`. Without classes each is on in half of the seeds. A rate is
    /// drawn log-uniformly between a hundredth of its bound and its bound.
    [[nodiscard]] static std::optional<fault_plan> parse(std::string_view text);
};

/// What a test and a program share by a file, mapped: whether faults happen, and how many have.
/// Forked children count, too.
struct fault_board {
    std::atomic<std::uint64_t> on;  ///< not 0: faults happen
    std::array<std::atomic<std::uint64_t>, call_fault_names.size()> struck;
};

/// Linux, and calls that fail by a plan. The draws come from the seed in the order of the calls,
/// which only one thread without peers repeats exactly. io_uring's operations do not pass here: of
/// that engine, faults come to what it attempts itself and to everything around the ring.
class faulty_linux final : public os::linux_kernel {
 public:
    explicit faulty_linux(const fault_plan& plan) noexcept;

    /// The errno of mapping the board, or 0; without one, faults happen from now on. None happens
    /// before.
    [[nodiscard]] int begin() noexcept;

    int accept4(int fd, sockaddr* peer, socklen_t* size, int flags) noexcept override;
    ssize_t recv(int fd, mutable_bytes memory, int flags) noexcept override;
    ssize_t send(int fd, const_bytes data, int flags) noexcept override;
    ssize_t recvmsg(int fd, msghdr& message, int flags) noexcept override;
    int socket(int family, int type, int protocol) noexcept override;
    int close(int fd) noexcept override;
    int pipe2(std::array<int, 2>& ends, int flags) noexcept override;
    int eventfd(unsigned initial, int flags) noexcept override;
    int signalfd(int fd, const sigset_t& signals, int flags) noexcept override;
    int timerfd_create(int clock, int flags) noexcept override;
    int epoll_create1(int flags) noexcept override;
    int epoll_ctl(int fd, int operation, int of, epoll_event* event) noexcept override;
    int epoll_pwait2(int fd, std::span<epoll_event> events,
                     const timespec* timeout) noexcept override;
    int epoll_wait(int fd, std::span<epoll_event> events, int timeout) noexcept override;
    int ppoll(std::span<pollfd> watched, const timespec* timeout,
              const sigset_t* mask) noexcept override;
    ssize_t read(int fd, mutable_bytes memory) noexcept override;
    ssize_t write(int fd, const_bytes data) noexcept override;

    ssize_t pread(int fd, mutable_bytes memory, std::uint64_t at) noexcept override;
    ssize_t pwrite(int fd, const_bytes data, std::uint64_t at) noexcept override;
    ssize_t sendfile(int to, int from, off_t* at, std::size_t count) noexcept override;
    ssize_t splice(int from, off_t* from_at, int to, off_t* to_at, std::size_t count,
                   unsigned flags) noexcept override;
    ssize_t copy_file_range(int from, off_t* from_at, int to, off_t* to_at,
                            std::size_t count) noexcept override;
    int ftruncate(int fd, std::uint64_t size) noexcept override;
    int fallocate(int fd, int mode, std::uint64_t at, std::uint64_t size) noexcept override;
    int fsync(int fd) noexcept override;
    int fdatasync(int fd) noexcept override;
    int sync_file_range(int fd, std::uint64_t at, std::uint64_t size,
                        unsigned flags) noexcept override;
    int flock(int fd, int operation) noexcept override;
    int fsetxattr(int fd, const char* name, const void* value, std::size_t size) noexcept override;

    int openat(int directory, const char* path, int flags, mode_t mode) noexcept override;
    int openat2(int directory, const char* path, int flags, mode_t mode,
                std::uint64_t resolve) noexcept override;
    int mkdirat(int directory, const char* path, mode_t mode) noexcept override;
    int unlinkat(int directory, const char* path, int flags) noexcept override;
    int linkat(int from, const char* old_path, int to, const char* new_path,
               int flags) noexcept override;
    int renameat2(int from, const char* old_path, int to, const char* new_path,
                  unsigned flags) noexcept override;
    ssize_t getdents64(int fd, mutable_bytes memory) noexcept override;

    pid_t fork() noexcept override;
    pid_t spawn(const os::spawn_plan& plan) noexcept override;
    pid_t waitpid(pid_t which, int* status, int options) noexcept override;
    int pidfd_open(pid_t which) noexcept override;

    int mmap(void*& into, void* where, std::size_t size, int protection, int flags, int fd,
             std::uint64_t at) noexcept override;
    int memfd_create(const char* name, unsigned flags) noexcept override;
    std::int64_t wall_ns() noexcept override;
    int start_thread(pthread_t& into, void (*run)(void*), void* argument,
                     std::size_t stack) noexcept override;
    int futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                   const timespec* timeout) noexcept override;

 private:
    /// What an epoll set watches a descriptor for.
    struct watched {
        int by = -1;
        epoll_event event{};
    };

    /// The next numbers of the seed.
    [[nodiscard]] sim::random draw() noexcept;
    /// Numbers for the details of a fault, if it is to happen in this call.
    [[nodiscard]] std::optional<sim::random> strikes(call_fault f) noexcept;
    /// -EINTR, or 0 for a call that is made.
    [[nodiscard]] int interruption() noexcept;
    /// What a call that changes or reads a disk fails with, or 0.
    [[nodiscard]] int disk_failure(bool takes_space) noexcept;
    /// What a call that makes a descriptor fails with, or 0.
    [[nodiscard]] int descriptor_failure(bool of_socket) noexcept;
    /// How much of `size` is done by a call that does at least `least`.
    [[nodiscard]] std::size_t part_of(std::size_t size, std::size_t least = 1) noexcept;
    /// Has the epoll set that watches `fd` look at it again, so that what a fault left there is
    /// reported by another edge, as if it had come later.
    void report_again(int fd) noexcept;
    /// What a call of `size` bytes on a socket, which may `wait` or not, fails with, or
    /// 0; else `size` becomes what is to be done of it.
    [[nodiscard]] int stream_failure(int fd, bool may_wait, std::size_t& size,
                                     std::size_t least = 1) noexcept;
    /// The same of a pipe.
    [[nodiscard]] int pipe_failure(int fd, std::size_t& size, std::size_t least = 1) noexcept;
    /// Others are eventfd(2) and its kin, which do all or nothing, and terminals.
    enum class kind : std::uint8_t { file, pipe, socket, other };
    [[nodiscard]] kind kind_of(int fd) noexcept;
    [[nodiscard]] bool blocks(int fd) noexcept;

    fault_plan plan_;
    std::atomic<std::uint64_t> drawn_{0};
    /// That of the plan's file, or its own; null before begin().
    fault_board* board_ = nullptr;
    fault_board own_board_{};
    /// By descriptor, each used by the thread that has it.
    std::unique_ptr<std::array<watched, 1 << 16>> watched_;
};

}  // namespace sluice::faults
