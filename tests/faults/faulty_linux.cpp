// Implements faulty_linux: each call asks the seed whether it fails before Linux makes it.
#include "tests/faults/faulty_linux.hpp"

#include <fcntl.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <initializer_list>

namespace sluice::faults {
namespace {

// In the order of call_fault. Enough that a run of a second meets each, and not so much that
// nothing goes on.
constexpr std::array<double, call_fault_names.size()> bounds{
    0.3,   // interrupted
    0.5,   // short_call
    0.3,   // not_ready
    0.02,  // broken_disk
    0.05,  // no_space
    0.1,   // no_descriptor
    0.2,   // no_process
    0.1,   // no_memory
    0.2,   // aborted
    0.05,  // wall_jump
};
constexpr double lowest = 1e-2;  // of the bound

int one_of(sim::random& from, std::initializer_list<int> codes) noexcept {
    return -codes.begin()[from.below(codes.size())];
}

}  // namespace

std::optional<fault_plan> fault_plan::parse(std::string_view text) {
    fault_plan plan;
    const std::size_t file = text.find('@');
    if (file != std::string_view::npos) {
        plan.board = text.substr(file + 1);
        text = text.substr(0, file);
    }
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), plan.seed);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (code != std::errc{} || (!text.empty() && text.front() != ':')) return std::nullopt;
    std::array<bool, call_fault_names.size()> on{};
    sim::random from{plan.seed};
    for (bool& each : on) each = (from.bits() & 1U) != 0;
    if (!text.empty()) on.fill(false);
    while (!text.empty()) {
        text.remove_prefix(1);
        const std::string_view name = text.substr(0, text.find(','));
        const auto* const found = std::ranges::find(call_fault_names, name);
        if (found == call_fault_names.end()) return std::nullopt;
        on[static_cast<std::size_t>(found - call_fault_names.begin())] = true;
        text.remove_prefix(name.size());
    }
    for (std::size_t i = 0; i < on.size(); ++i) {
        const double rate = from.log_uniform(bounds[i] * lowest, bounds[i]);
        plan.rates[i] = on[i] ? rate : 0;
    }
    return plan;
}

faulty_linux::faulty_linux(const fault_plan& plan) noexcept
    : plan_{plan}, watched_{std::make_unique<std::array<watched, 1 << 16>>()} {}

int faulty_linux::begin() noexcept {
    if (plan_.board.empty()) {
        own_board_.on = 1;
        board_ = &own_board_;
        return 0;
    }
    const int fd = linux_kernel::openat(AT_FDCWD, plan_.board.c_str(), O_RDWR | O_CLOEXEC, 0);
    if (fd < 0) return -fd;
    struct stat found{};
    int failed = linux_kernel::fstat(fd, found);
    // A shorter one would end the process at the first look behind its end.
    if (failed == 0 && found.st_size != sizeof(fault_board)) failed = -EINVAL;
    void* mapped = nullptr;
    if (failed == 0) {
        failed = linux_kernel::mmap(mapped, nullptr, sizeof(fault_board), PROT_READ | PROT_WRITE,
                                    MAP_SHARED, fd, 0);
    }
    linux_kernel::close(fd);
    if (failed == 0) board_ = static_cast<fault_board*>(mapped);
    return -failed;
}

// ----- whether, and how

sim::random faulty_linux::draw() noexcept {
    // Each draw is a generator of its own, since threads draw at the same time.
    constexpr std::uint64_t apart = 0x9e37'79b9'7f4a'7c15U;
    return sim::random{plan_.seed + apart * (1 + drawn_.fetch_add(1, std::memory_order_relaxed))};
}

std::optional<sim::random> faulty_linux::strikes(call_fault f) noexcept {
    const auto which = static_cast<std::size_t>(f);
    const double rate = plan_.rates[which];
    if (rate == 0 || board_ == nullptr || board_->on.load(std::memory_order_relaxed) == 0) {
        return std::nullopt;
    }
    sim::random from = draw();
    if (!from.chance(rate)) return std::nullopt;
    board_->struck[which].fetch_add(1, std::memory_order_relaxed);
    return from;
}

int faulty_linux::interruption() noexcept {
    return strikes(call_fault::interrupted) ? -EINTR : 0;
}

int faulty_linux::disk_failure(bool takes_space) noexcept {
    if (strikes(call_fault::broken_disk)) return -EIO;
    if (!takes_space) return 0;
    if (auto from = strikes(call_fault::no_space)) return one_of(*from, {ENOSPC, EDQUOT});
    return 0;
}

int faulty_linux::descriptor_failure(bool of_socket) noexcept {
    auto from = strikes(call_fault::no_descriptor);
    if (!from) return 0;
    if (of_socket) return one_of(*from, {EMFILE, ENFILE, ENOBUFS, ENOMEM});
    return one_of(*from, {EMFILE, ENFILE});
}

std::size_t faulty_linux::part_of(std::size_t size, std::size_t least) noexcept {
    if (size <= least) return size;
    auto from = strikes(call_fault::short_call);
    if (!from) return size;
    // As often one byte as any other part.
    if (from->chance(0.5)) return least;
    return least + from->below(size - least);
}

void faulty_linux::report_again(int fd) noexcept {
    if (fd < 0 || static_cast<std::size_t>(fd) >= watched_->size()) return;
    watched& w = (*watched_)[static_cast<std::size_t>(fd)];
    // What is reported once (EPOLLONESHOT) its owner registers again, and levels stay.
    if (w.by < 0 || (w.event.events & EPOLLET) == 0) return;
    linux_kernel::epoll_ctl(w.by, EPOLL_CTL_MOD, fd, &w.event);
}

int faulty_linux::stream_failure(int fd, bool may_wait, std::size_t& size,
                                 std::size_t least) noexcept {
    if (may_wait) {
        if (const int failed = interruption(); failed != 0) return failed;
    } else if (strikes(call_fault::not_ready)) {
        report_again(fd);
        return -EAGAIN;
    }
    if (const std::size_t part = part_of(size, least); part < size) {
        size = part;
        report_again(fd);
    }
    return 0;
}

int faulty_linux::pipe_failure(int fd, std::size_t& size, std::size_t least) noexcept {
    // Without EAGAIN: a pipe that has bytes, or space for PIPE_BUF, never gives it.
    if (blocks(fd)) return stream_failure(fd, true, size, least);
    if (const std::size_t part = part_of(size, least); part < size) {
        size = part;
        report_again(fd);
    }
    return 0;
}

faulty_linux::kind faulty_linux::kind_of(int fd) noexcept {
    struct stat found{};
    if (linux_kernel::fstat(fd, found) != 0) return kind::other;
    if (S_ISREG(found.st_mode)) return kind::file;
    if (S_ISFIFO(found.st_mode)) return kind::pipe;
    return S_ISSOCK(found.st_mode) ? kind::socket : kind::other;
}

bool faulty_linux::blocks(int fd) noexcept {
    const int flags = linux_kernel::fcntl(fd, F_GETFL, 0);
    return flags < 0 || (flags & O_NONBLOCK) == 0;
}

// ----- sockets

int faulty_linux::accept4(int fd, sockaddr* peer, socklen_t* size, int flags) noexcept {
    if (const int failed = descriptor_failure(true); failed != 0) return failed;
    if (auto from = strikes(call_fault::aborted)) {
        report_again(fd);
        return one_of(*from, {ECONNABORTED, EPROTO, EHOSTUNREACH});
    }
    std::size_t one = 1;
    if (const int failed = stream_failure(fd, blocks(fd), one); failed != 0) return failed;
    return linux_kernel::accept4(fd, peer, size, flags);
}

ssize_t faulty_linux::recv(int fd, mutable_bytes memory, int flags) noexcept {
    std::size_t size = memory.size();
    const bool waits = (flags & MSG_DONTWAIT) == 0 && blocks(fd);
    if (const int failed = stream_failure(fd, waits, size); failed != 0) return failed;
    return linux_kernel::recv(fd, memory.first(size), flags);
}

ssize_t faulty_linux::send(int fd, const_bytes data, int flags) noexcept {
    std::size_t size = data.size();
    const bool waits = (flags & MSG_DONTWAIT) == 0 && blocks(fd);
    if (const int failed = stream_failure(fd, waits, size); failed != 0) return failed;
    return linux_kernel::send(fd, data.first(size), flags);
}

ssize_t faulty_linux::recvmsg(int fd, msghdr& message, int flags) noexcept {
    std::size_t one = 1;
    const bool waits = (flags & MSG_DONTWAIT) == 0 && blocks(fd);
    if (const int failed = stream_failure(fd, waits, one); failed != 0) return failed;
    return linux_kernel::recvmsg(fd, message, flags);
}

int faulty_linux::socket(int family, int type, int protocol) noexcept {
    if (const int failed = descriptor_failure(true); failed != 0) return failed;
    return linux_kernel::socket(family, type, protocol);
}

// ----- descriptors and waiting

int faulty_linux::close(int fd) noexcept {
    if (fd >= 0 && static_cast<std::size_t>(fd) < watched_->size()) {
        (*watched_)[static_cast<std::size_t>(fd)].by = -1;
    }
    return linux_kernel::close(fd);
}

int faulty_linux::pipe2(std::array<int, 2>& ends, int flags) noexcept {
    if (const int failed = descriptor_failure(false); failed != 0) return failed;
    return linux_kernel::pipe2(ends, flags);
}

int faulty_linux::eventfd(unsigned initial, int flags) noexcept {
    if (const int failed = descriptor_failure(false); failed != 0) return failed;
    return linux_kernel::eventfd(initial, flags);
}

int faulty_linux::signalfd(int fd, const sigset_t& signals, int flags) noexcept {
    if (const int failed = fd < 0 ? descriptor_failure(false) : 0; failed != 0) return failed;
    return linux_kernel::signalfd(fd, signals, flags);
}

int faulty_linux::timerfd_create(int clock, int flags) noexcept {
    if (const int failed = descriptor_failure(false); failed != 0) return failed;
    return linux_kernel::timerfd_create(clock, flags);
}

int faulty_linux::epoll_create1(int flags) noexcept {
    if (const int failed = descriptor_failure(false); failed != 0) return failed;
    return linux_kernel::epoll_create1(flags);
}

int faulty_linux::epoll_ctl(int fd, int operation, int of, epoll_event* event) noexcept {
    if (operation == EPOLL_CTL_ADD && strikes(call_fault::no_memory)) return -ENOMEM;
    if (of >= 0 && static_cast<std::size_t>(of) < watched_->size()) {
        watched& w = (*watched_)[static_cast<std::size_t>(of)];
        w.by = operation == EPOLL_CTL_DEL ? -1 : fd;
        if (event != nullptr) w.event = *event;
    }
    return linux_kernel::epoll_ctl(fd, operation, of, event);
}

int faulty_linux::epoll_pwait2(int fd, std::span<epoll_event> events,
                               const timespec* timeout) noexcept {
    if (const int failed = interruption(); failed != 0) return failed;
    return linux_kernel::epoll_pwait2(fd, events, timeout);
}

int faulty_linux::epoll_wait(int fd, std::span<epoll_event> events, int timeout) noexcept {
    if (const int failed = interruption(); failed != 0) return failed;
    return linux_kernel::epoll_wait(fd, events, timeout);
}

int faulty_linux::ppoll(std::span<pollfd> watched, const timespec* timeout,
                        const sigset_t* mask) noexcept {
    if (const int failed = interruption(); failed != 0) return failed;
    return linux_kernel::ppoll(watched, timeout, mask);
}

ssize_t faulty_linux::read(int fd, mutable_bytes memory) noexcept {
    std::size_t size = memory.size();
    int failed = 0;
    switch (kind_of(fd)) {
        case kind::file:
            failed = disk_failure(false);
            size = part_of(size);
            break;
        case kind::pipe: failed = pipe_failure(fd, size); break;
        case kind::socket: failed = stream_failure(fd, blocks(fd), size); break;
        case kind::other: break;
    }
    return failed != 0 ? failed : linux_kernel::read(fd, memory.first(size));
}

ssize_t faulty_linux::write(int fd, const_bytes data) noexcept {
    std::size_t size = data.size();
    int failed = 0;
    switch (kind_of(fd)) {
        case kind::file:
            failed = disk_failure(true);
            size = part_of(size);
            break;
        // Fewer bytes a pipe takes whole (pipe(7)).
        case kind::pipe: failed = pipe_failure(fd, size, PIPE_BUF); break;
        case kind::socket: failed = stream_failure(fd, blocks(fd), size); break;
        case kind::other: break;
    }
    return failed != 0 ? failed : linux_kernel::write(fd, data.first(size));
}

// ----- files

ssize_t faulty_linux::pread(int fd, mutable_bytes memory, std::uint64_t at) noexcept {
    if (const int failed = interruption(); failed != 0) return failed;
    if (const int failed = disk_failure(false); failed != 0) return failed;
    return linux_kernel::pread(fd, memory.first(part_of(memory.size())), at);
}

ssize_t faulty_linux::pwrite(int fd, const_bytes data, std::uint64_t at) noexcept {
    if (const int failed = interruption(); failed != 0) return failed;
    if (const int failed = disk_failure(true); failed != 0) return failed;
    return linux_kernel::pwrite(fd, data.first(part_of(data.size())), at);
}

ssize_t faulty_linux::sendfile(int to, int from, off_t* at, std::size_t count) noexcept {
    if (const int failed = disk_failure(false); failed != 0) return failed;
    if (const int failed = stream_failure(to, blocks(to), count); failed != 0) return failed;
    return linux_kernel::sendfile(to, from, at, count);
}

ssize_t faulty_linux::splice(int from, off_t* from_at, int to, off_t* to_at, std::size_t count,
                             unsigned flags) noexcept {
    const bool to_file = kind_of(to) == kind::file;
    if (to_file || kind_of(from) == kind::file) {
        if (const int failed = disk_failure(to_file); failed != 0) return failed;
    }
    const bool waits = (flags & SPLICE_F_NONBLOCK) == 0;
    const std::size_t all = count;
    const int failed = stream_failure(from, waits, count);
    if (failed == -EAGAIN || count < all) report_again(to);
    if (failed != 0) return failed;
    return linux_kernel::splice(from, from_at, to, to_at, count, flags);
}

ssize_t faulty_linux::copy_file_range(int from, off_t* from_at, int to, off_t* to_at,
                                      std::size_t count) noexcept {
    if (const int failed = interruption(); failed != 0) return failed;
    if (const int failed = disk_failure(true); failed != 0) return failed;
    return linux_kernel::copy_file_range(from, from_at, to, to_at, part_of(count));
}

int faulty_linux::ftruncate(int fd, std::uint64_t size) noexcept {
    if (const int failed = interruption(); failed != 0) return failed;
    if (const int failed = disk_failure(false); failed != 0) return failed;
    return linux_kernel::ftruncate(fd, size);
}

int faulty_linux::fallocate(int fd, int mode, std::uint64_t at, std::uint64_t size) noexcept {
    if (const int failed = interruption(); failed != 0) return failed;
    if (const int failed = disk_failure(true); failed != 0) return failed;
    return linux_kernel::fallocate(fd, mode, at, size);
}

int faulty_linux::fsync(int fd) noexcept {
    if (const int failed = interruption(); failed != 0) return failed;
    if (const int failed = disk_failure(true); failed != 0) return failed;
    return linux_kernel::fsync(fd);
}

int faulty_linux::fdatasync(int fd) noexcept {
    if (const int failed = interruption(); failed != 0) return failed;
    if (const int failed = disk_failure(true); failed != 0) return failed;
    return linux_kernel::fdatasync(fd);
}

int faulty_linux::sync_file_range(int fd, std::uint64_t at, std::uint64_t size,
                                  unsigned flags) noexcept {
    if (const int failed = disk_failure(true); failed != 0) return failed;
    return linux_kernel::sync_file_range(fd, at, size, flags);
}

int faulty_linux::flock(int fd, int operation) noexcept {
    const bool waits = (operation & LOCK_NB) == 0;
    if (const int failed = waits ? interruption() : 0; failed != 0) return failed;
    return linux_kernel::flock(fd, operation);
}

int faulty_linux::fsetxattr(int fd, const char* name, const void* value,
                            std::size_t size) noexcept {
    if (const int failed = disk_failure(true); failed != 0) return failed;
    return linux_kernel::fsetxattr(fd, name, value, size);
}

// ----- names

int faulty_linux::openat(int directory, const char* path, int flags, mode_t mode) noexcept {
    const bool makes_file = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
    if (const int failed = descriptor_failure(false); failed != 0) return failed;
    if (const int failed = disk_failure(makes_file); failed != 0) return failed;
    return linux_kernel::openat(directory, path, flags, mode);
}

int faulty_linux::openat2(int directory, const char* path, int flags, mode_t mode,
                          std::uint64_t resolve) noexcept {
    if (const int failed = descriptor_failure(false); failed != 0) return failed;
    if (const int failed = disk_failure((flags & O_CREAT) != 0); failed != 0) return failed;
    // A path that was renamed on the way (openat2(2)).
    if (resolve != 0 && strikes(call_fault::not_ready)) return -EAGAIN;
    return linux_kernel::openat2(directory, path, flags, mode, resolve);
}

int faulty_linux::mkdirat(int directory, const char* path, mode_t mode) noexcept {
    if (const int failed = disk_failure(true); failed != 0) return failed;
    return linux_kernel::mkdirat(directory, path, mode);
}

int faulty_linux::unlinkat(int directory, const char* path, int flags) noexcept {
    if (const int failed = disk_failure(false); failed != 0) return failed;
    return linux_kernel::unlinkat(directory, path, flags);
}

int faulty_linux::linkat(int from, const char* old_path, int to, const char* new_path,
                         int flags) noexcept {
    if (const int failed = disk_failure(true); failed != 0) return failed;
    return linux_kernel::linkat(from, old_path, to, new_path, flags);
}

int faulty_linux::renameat2(int from, const char* old_path, int to, const char* new_path,
                            unsigned flags) noexcept {
    if (const int failed = disk_failure(true); failed != 0) return failed;
    return linux_kernel::renameat2(from, old_path, to, new_path, flags);
}

ssize_t faulty_linux::getdents64(int fd, mutable_bytes memory) noexcept {
    if (const int failed = disk_failure(false); failed != 0) return failed;
    return linux_kernel::getdents64(fd, memory);
}

// ----- processes, memory, time, threads

pid_t faulty_linux::fork() noexcept {
    if (auto from = strikes(call_fault::no_process)) return one_of(*from, {EAGAIN, ENOMEM});
    const std::uint64_t of_child = draw().bits();
    const pid_t made = linux_kernel::fork();
    if (made == 0) plan_.seed = of_child;
    return made;
}

pid_t faulty_linux::spawn(const os::spawn_plan& plan) noexcept {
    if (auto from = strikes(call_fault::no_process)) return one_of(*from, {EAGAIN, ENOMEM});
    return linux_kernel::spawn(plan);
}

pid_t faulty_linux::waitpid(pid_t which, int* status, int options) noexcept {
    const bool waits = (options & WNOHANG) == 0;
    if (const int failed = waits ? interruption() : 0; failed != 0) return failed;
    return linux_kernel::waitpid(which, status, options);
}

int faulty_linux::pidfd_open(pid_t which) noexcept {
    if (const int failed = descriptor_failure(false); failed != 0) return failed;
    return linux_kernel::pidfd_open(which);
}

int faulty_linux::mmap(void*& into, void* where, std::size_t size, int protection, int flags,
                       int fd, std::uint64_t at) noexcept {
    if (strikes(call_fault::no_memory)) return -ENOMEM;
    return linux_kernel::mmap(into, where, size, protection, flags, fd, at);
}

int faulty_linux::memfd_create(const char* name, unsigned flags) noexcept {
    if (const int failed = descriptor_failure(false); failed != 0) return failed;
    return linux_kernel::memfd_create(name, flags);
}

std::int64_t faulty_linux::wall_ns() noexcept {
    constexpr std::int64_t a_day = 86'400'000'000'000;
    const std::int64_t now = linux_kernel::wall_ns();
    if (auto from = strikes(call_fault::wall_jump)) return now + from->between(-a_day, a_day);
    return now;
}

int faulty_linux::start_thread(pthread_t& into, void (*run)(void*), void* argument,
                               std::size_t stack) noexcept {
    if (strikes(call_fault::no_process)) return -EAGAIN;
    return linux_kernel::start_thread(into, run, argument, stack);
}

int faulty_linux::futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                             const timespec* timeout) noexcept {
    if (const int failed = interruption(); failed != 0) return failed;
    return linux_kernel::futex_wait(word, expected, timeout);
}

}  // namespace sluice::faults
