// Open file description of the simulated kernel (open(2)): what descriptors refer to.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "sluice/base/bytes.hpp"
#include "sluice/sim/wait_queue.hpp"

namespace sluice::sim {

/// What the descriptors that were duplicated from one another share. No function here waits: what
/// would have to wait returns -EAGAIN, and the kernel waits for watchers() if the call may block.
/// All results are n or -errno. The last descriptor's end destroys it.
class description {
 public:
    /// What it is, for calls that work on one kind alone.
    enum class kind : std::uint8_t {
        file,       ///< of the disk: regular or a directory; always ready
        device,     ///< /dev/null
        memory,     ///< memfd_create(2)
        stream,     ///< a TCP socket, listening or not
        pipe,       ///< one end of a pipe
        event,      ///< eventfd(2)
        timer,      ///< timerfd_create(2)
        signals,    ///< signalfd(2)
        epoll_set,  ///< epoll_create1(2)
        ring,       ///< io_uring_setup(2)
        process,    ///< pidfd_open(2)
    };

    /// `flags` are those of open(2): access mode, O_NONBLOCK, O_APPEND.
    description(kind what, int flags) noexcept : what_{what}, flags_{flags} {}
    description(const description&) = delete;
    description& operator=(const description&) = delete;
    virtual ~description() = default;

    [[nodiscard]] kind what() const noexcept { return what_; }
    [[nodiscard]] int flags() const noexcept { return flags_; }
    /// F_SETFL: `flags` without access mode and creation flags.
    void set_flags(int flags) noexcept {
        constexpr int changeable = O_APPEND | O_NONBLOCK;
        flags_ = (flags_ & ~changeable) | (flags & changeable);
    }
    [[nodiscard]] bool blocks() const noexcept { return (flags_ & O_NONBLOCK) == 0; }
    /// Who is told when poll() changes.
    [[nodiscard]] wait_queue& watchers() noexcept { return watchers_; }

    /// read(2) and write(2).
    [[nodiscard]] virtual ssize_t read(mutable_bytes /*memory*/) noexcept { return -EINVAL; }
    [[nodiscard]] virtual ssize_t write(const_bytes /*data*/) noexcept { return -EINVAL; }
    /// pread(2) and pwrite(2).
    [[nodiscard]] virtual ssize_t pread(mutable_bytes /*memory*/, std::uint64_t /*at*/) noexcept {
        return -ESPIPE;
    }
    [[nodiscard]] virtual ssize_t pwrite(const_bytes /*data*/, std::uint64_t /*at*/) noexcept {
        return -ESPIPE;
    }
    /// The events of poll(2) that are true now, POLLRDHUP among them.
    [[nodiscard]] virtual short poll() noexcept { return POLLIN | POLLOUT; }
    /// False if epoll_ctl(2) refuses it (EPERM).
    [[nodiscard]] virtual bool pollable() const noexcept { return false; }
    /// For splice(2): what read() would return, without taking it; then consume() takes `n` of it.
    [[nodiscard]] virtual ssize_t peek(mutable_bytes /*memory*/) noexcept { return -EINVAL; }
    virtual void consume(std::size_t /*n*/) noexcept {}
    /// For splice(2) and sendfile(2): how many bytes write() takes now; 0 if it returned -EAGAIN.
    [[nodiscard]] virtual std::size_t space() noexcept { return SIZE_MAX; }
    /// ftruncate(2).
    [[nodiscard]] virtual int truncate(std::uint64_t /*size*/) noexcept { return -EINVAL; }
    /// ioctl(2).
    [[nodiscard]] virtual int ioctl(unsigned long /*request*/, void* /*argument*/) noexcept {
        return -ENOTTY;
    }
    /// fcntl(2) with F_OFD_SETLK or F_OFD_GETLK.
    [[nodiscard]] virtual int lock(int /*command*/, struct flock& /*wanted*/) noexcept {
        return -EINVAL;
    }
    /// Its process crashed. What calls in progress still refer to would not end otherwise.
    virtual void hang_up() noexcept {}
    /// fstat(2) of what is no file of the disk: its type alone.
    [[nodiscard]] virtual int stat(struct stat& into) noexcept {
        into = {};
        into.st_mode = 0600;
        if (what_ == kind::stream) into.st_mode |= S_IFSOCK;
        if (what_ == kind::pipe) into.st_mode |= S_IFIFO;
        if (what_ == kind::device) into.st_mode |= S_IFCHR;
        if (what_ == kind::memory) into.st_mode |= S_IFREG;
        return 0;
    }

 private:
    kind what_;
    int flags_;
    wait_queue watchers_;
};

/// /dev/null.
class null_device final : public description {
 public:
    explicit null_device(int flags) noexcept : description{kind::device, flags} {}
    [[nodiscard]] ssize_t read(mutable_bytes /*memory*/) noexcept override { return 0; }
    [[nodiscard]] ssize_t write(const_bytes data) noexcept override {
        return static_cast<ssize_t>(data.size());
    }
};

}  // namespace sluice::sim
