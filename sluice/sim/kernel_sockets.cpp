// Implements the calls of the simulated kernel for sockets.
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "sluice/sim/simulated_kernel.hpp"

namespace sluice::sim {

std::shared_ptr<tcp_socket> simulated_kernel::socket_of(int fd, int& error) noexcept {
    auto d = find(fd);
    error = d == nullptr ? -EBADF : -ENOTSOCK;
    if (d == nullptr || d->what() != description::kind::stream) return nullptr;
    return std::static_pointer_cast<tcp_socket>(std::move(d));
}

int simulated_kernel::shortage() noexcept {
    if (!random_.chance(faults_.no_descriptor)) return 0;
    current().last_shortage_ = scheduler_.now();
    return random_.chance(0.5) ? -EMFILE : -ENFILE;
}

int simulated_kernel::make(std::shared_ptr<description> d, bool close_on_exec) noexcept {
    const int failed = shortage();
    return failed < 0 ? failed : install(std::move(d), close_on_exec);
}

int simulated_kernel::socket(int family, int type, int protocol) noexcept {
    return call("socket", {family, type}, [&] {
        constexpr int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
        if (family != AF_INET && family != AF_INET6) return -EAFNOSUPPORT;
        if ((type & ~flags) != SOCK_STREAM || (protocol != 0 && protocol != IPPROTO_TCP)) {
            return -EPROTONOSUPPORT;
        }
        const int kept = (type & SOCK_NONBLOCK) != 0 ? O_NONBLOCK : 0;
        return make(std::make_shared<tcp_socket>(network_, family, kept),
                    (type & SOCK_CLOEXEC) != 0);
    });
}

int simulated_kernel::socketpair(int family, int type, std::array<int, 2>& /*ends*/) noexcept {
    return call("socketpair", {family, type}, [&] { return -EAFNOSUPPORT; });
}

int simulated_kernel::bind(int fd, const sockaddr* address, socklen_t size) noexcept {
    const auto where = endpoint::from(address, size);
    return call("bind", {fd, where ? where->port : -1}, [&] {
        int error = 0;
        const auto s = socket_of(fd, error);
        if (s == nullptr) return error;
        if (!where || where->is_v4() != (s->family() == AF_INET)) return -EAFNOSUPPORT;
        return s->bind(*where);
    });
}

int simulated_kernel::listen(int fd, int backlog) noexcept {
    return call("listen", {fd, backlog}, [&] {
        int error = 0;
        const auto s = socket_of(fd, error);
        return s == nullptr ? error : s->listen(backlog);
    });
}

int simulated_kernel::accept4(int fd, sockaddr* peer, socklen_t* size, int flags) noexcept {
    return call("accept4", {fd}, [&] {
        int error = 0;
        const auto s = socket_of(fd, error);
        if (s == nullptr) return error;
        // The kernel looks for a free number first; the connection goes on waiting.
        if (const int failed = shortage(); failed < 0) return failed;
        if (random_.chance(faults_.no_memory)) return random_.chance(0.5) ? -ENOBUFS : -ENOMEM;
        std::shared_ptr<tcp_socket> taken;
        const ssize_t failed = until_done(*s, POLLIN, "accept4", fd, [&] {
            taken = s->accept(error);
            return static_cast<ssize_t>(error);
        });
        if (failed < 0) return static_cast<int>(failed);
        // One that has been reset meanwhile has no peer; it is accepted all the same.
        if (peer != nullptr) static_cast<void>(taken->peer(peer, *size));
        if ((flags & SOCK_NONBLOCK) != 0) taken->set_flags(O_NONBLOCK);
        return install(std::move(taken), (flags & SOCK_CLOEXEC) != 0);
    });
}

int simulated_kernel::connect(int fd, const sockaddr* address, socklen_t size) noexcept {
    const auto to = endpoint::from(address, size);
    return call("connect", {fd, to ? to->port : -1}, [&] {
        int error = 0;
        const auto s = socket_of(fd, error);
        if (s == nullptr) return error;
        if (!to || to->is_v4() != (s->family() == AF_INET)) return -EAFNOSUPPORT;
        int r = s->connect(*to);
        while (s->blocks() && (r == -EINPROGRESS || r == -EALREADY)) {
            const int failed = wait_for(*s, POLLOUT, never, "connect", fd);
            // It goes on without the caller, who finds out by poll(2) (connect(2), EINTR).
            if (failed == -EINTR) return -EINTR;
            r = s->connect(*to);
        }
        return r;
    });
}

ssize_t simulated_kernel::recv(int fd, mutable_bytes memory, int flags) noexcept {
    return call("recv", {fd, static_cast<std::int64_t>(memory.size()), flags}, [&] {
        int error = 0;
        const auto s = socket_of(fd, error);
        if (s == nullptr) return ssize_t{error};
        const bool waits = s->blocks() && (flags & MSG_DONTWAIT) == 0;
        if (!waits) return s->recv(memory, flags);
        const std::size_t whole = (flags & MSG_WAITALL) != 0 ? memory.size() : 1;
        std::size_t done = 0;
        do {
            const ssize_t n = until_done(*s, POLLIN, "recv", fd,
                                         [&] { return s->recv(memory.subspan(done), flags); });
            if (n < 0) return done > 0 ? static_cast<ssize_t>(done) : n;
            if (n == 0) break;
            done += static_cast<std::size_t>(n);
        } while (done < whole && (flags & MSG_PEEK) == 0);
        return static_cast<ssize_t>(done);
    });
}

ssize_t simulated_kernel::send(int fd, const_bytes data, int flags) noexcept {
    return call("send", {fd, static_cast<std::int64_t>(data.size()), flags}, [&] {
        int error = 0;
        const auto s = socket_of(fd, error);
        if (s == nullptr) return ssize_t{error};
        const ssize_t n = send_all(s, fd, data, s->blocks() && (flags & MSG_DONTWAIT) == 0);
        if (n == -EPIPE && (flags & MSG_NOSIGNAL) == 0) break_pipe();
        return n;
    });
}

/// Sends what is taken at once, or, if it `waits`, all of it.
ssize_t simulated_kernel::send_all(const std::shared_ptr<tcp_socket>& s, int fd, const_bytes data,
                                   bool waits) noexcept {
    if (!waits) return s->send(data);
    std::size_t done = 0;
    while (done < data.size()) {
        const ssize_t n =
            until_done(*s, POLLOUT, "send", fd, [&] { return s->send(data.subspan(done)); });
        if (n < 0) return done > 0 ? static_cast<ssize_t>(done) : n;
        done += static_cast<std::size_t>(n);
    }
    return static_cast<ssize_t>(done);
}

ssize_t simulated_kernel::recvmsg(int fd, msghdr& /*message*/, int flags) noexcept {
    return call("recvmsg", {fd, flags}, [&] {
        int error = 0;
        if (socket_of(fd, error) == nullptr) return ssize_t{error};
        // No notification is ever queued.
        return ssize_t{(flags & MSG_ERRQUEUE) != 0 ? -EAGAIN : -EOPNOTSUPP};
    });
}

ssize_t simulated_kernel::sendmsg(int fd, const msghdr& /*message*/, int flags) noexcept {
    return call("sendmsg", {fd, flags}, [&] {
        int error = 0;
        // It sends descriptors, which no socket here takes.
        return ssize_t{socket_of(fd, error) == nullptr ? error : -EOPNOTSUPP};
    });
}

int simulated_kernel::shutdown(int fd, int how) noexcept {
    return call("shutdown", {fd, how}, [&] {
        int error = 0;
        const auto s = socket_of(fd, error);
        return s == nullptr ? error : s->shutdown(how);
    });
}

int simulated_kernel::getsockopt(int fd, int level, int name, void* value,
                                 socklen_t& size) noexcept {
    return call("getsockopt", {fd, level, name}, [&] {
        int error = 0;
        const auto s = socket_of(fd, error);
        return s == nullptr ? error : s->get_option(level, name, value, size);
    });
}

int simulated_kernel::setsockopt(int fd, int level, int name, const void* value,
                                 socklen_t size) noexcept {
    return call("setsockopt", {fd, level, name}, [&] {
        int error = 0;
        const auto s = socket_of(fd, error);
        return s == nullptr ? error : s->set_option(level, name, value, size);
    });
}

int simulated_kernel::getsockname(int fd, sockaddr* address, socklen_t& size) noexcept {
    return call("getsockname", {fd}, [&] {
        int error = 0;
        const auto s = socket_of(fd, error);
        return s == nullptr ? error : s->name(address, size);
    });
}

int simulated_kernel::getpeername(int fd, sockaddr* address, socklen_t& size) noexcept {
    return call("getpeername", {fd}, [&] {
        int error = 0;
        const auto s = socket_of(fd, error);
        return s == nullptr ? error : s->peer(address, size);
    });
}

}  // namespace sluice::sim
