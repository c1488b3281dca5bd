// Implements listen() and listener: accepting, also through shortages of descriptors and memory.
#include "sluice/net/listener.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <new>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/ops/poll.hpp"
#include "sluice/net/congestion.hpp"
#include "sluice/net/keep_alive.hpp"
#include "sluice/net/linger_reset.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::net {
namespace {

using namespace std::chrono_literals;

// Long enough not to spin, short enough to be unnoticed once there are descriptors again.
constexpr auto pause_length = 50ms;

unique_fd open_reserve() noexcept {
    return unique_fd{os::sys().openat(AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC)};
}

enum class accept_failure : std::uint8_t { passing, shortage, fatal };

accept_failure judge(error e) noexcept {
    if (e.whose() != error::category::system) return accept_failure::fatal;
    switch (e.code()) {
        // accept(2), "Error handling": errors already pending on the new socket.
        case ECONNABORTED:
        case EPROTO:
        case ENETDOWN:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case ENONET:
        case EHOSTUNREACH:
        case EOPNOTSUPP:
        case ENETUNREACH:
        case EPERM:
        // Of io_uring, where it asked while take_waiting() of a process before was at it.
        case EAGAIN: return accept_failure::passing;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM: return accept_failure::shortage;
        default: return accept_failure::fatal;
    }
}

result<void> set_option(int fd, int level, int name, int value) noexcept {
    const int failed = os::sys().setsockopt(fd, level, name, &value, sizeof value);
    if (failed < 0) return failure_of(-failed);
    return {};
}

void make_blocking(int socket) noexcept {
    const int flags = os::sys().fcntl(socket, F_GETFL);
    if (flags >= 0) static_cast<void>(os::sys().fcntl(socket, F_SETFL, flags & ~O_NONBLOCK));
}

/// False without memory.
bool append(std::vector<unique_fd>& to, unique_fd one) noexcept try {
    to.push_back(std::move(one));
    return true;
} catch (const std::bad_alloc&) {
    return false;
}

}  // namespace

result<unique_fd> listen(const address& where, const listen_options& o) noexcept {
    if (where.is_unix()) return listen_unix(where, o.allowed, o.backlog);
    unique_fd fd{os::sys().socket(where.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!fd) return failure_of(-fd.get());
    if (auto r = set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1); !r) return failure(r.error());
    if (o.share_port) {
        auto r = set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
        if (!r) return failure(r.error());
    }
    avoid_pacing_on_loopback(fd.get(), where);
    keep_alive(fd.get());
    int failed = os::sys().bind(fd.get(), where.data(), where.size());
    if (failed == 0) failed = os::sys().listen(fd.get(), o.backlog);
    if (failed < 0) return failure_of(-failed);
    return fd;
}

void adopt_listener(int socket) noexcept {
    static_cast<void>(os::sys().fcntl(socket, F_SETFD, FD_CLOEXEC));
    const auto where = address::local_of(socket);
    if (!where || where->is_unix()) return;
    avoid_pacing_on_loopback(socket, *where);
    keep_alive(socket);
}

listener::listener(io::engine& engine, unique_fd socket, io::accepting how)
    : socket_{std::move(socket)}, reserve_{open_reserve()}, incoming_{engine, socket_.get(), how} {
    // Not every engine makes it non-blocking (engine::attach). One that waits in the kernel needs
    // it blocking, and the server that had it before may have changed that.
    if (how == io::accepting::one_by_one || engine.socket_flags() == 0) {
        const int flags = os::sys().fcntl(fd(), F_GETFL);
        const int wanted =
            how == io::accepting::one_by_one ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
        if (wanted != flags) static_cast<void>(os::sys().fcntl(fd(), F_SETFL, wanted));
    }
    check(engine.attach(fd()).has_value(),
          "the descriptor of a listener is beyond the table of the engine");
}

// A pause that lives in the frame of recover(), and that the end of the listener ends.
struct listener::shortage_pause : io::sleep_until {
    explicit shortage_pause(listener& l) noexcept
        : sleep_until{l.engine(), io::after(io::clock::now(), pause_length)}, owner{&l} {
        l.pause_ = this;
    }
    shortage_pause(const shortage_pause&) = delete;
    shortage_pause& operator=(const shortage_pause&) = delete;
    ~shortage_pause() {
        if (owner != nullptr) owner->pause_ = nullptr;
    }
    listener* owner;
};

listener::~listener() {
    if (pause_ != nullptr) {
        pause_->owner = nullptr;
        pause_->cancel();
    }
    if (socket_) close_now();
}

coro::task<result<unique_fd>> listener::accept() noexcept {
    for (;;) {
        auto accepted = co_await incoming_.next();
        if (accepted) {
            ++counters_.accepted;
            co_return std::move(*accepted);
        }
        auto recovered = co_await recover(accepted.error());
        // The listener may be gone.
        if (!recovered) co_return failure(recovered.error());
    }
}

result<address> listener::peer_of(int accepted) const {
    const sockaddr_in6& said = incoming_.peer();
    if (said.sin6_family != AF_INET && said.sin6_family != AF_INET6)
        return address::peer_of(accepted);
    return address::from(reinterpret_cast<const sockaddr*>(&said), sizeof said);
}

coro::task<result<unique_fd>> listener::accept_waiting() noexcept {
    unique_fd socket{
        os::sys().accept4(fd(), nullptr, nullptr, SOCK_CLOEXEC | engine().socket_flags())};
    if (socket) {
        ++counters_.accepted;
        co_return std::move(socket);
    }
    // Another process may accept at the same socket.
    const error why = error::system(-socket.get());
    if (why.is(EAGAIN) || why.is(EINTR)) co_return unique_fd{};
    auto recovered = co_await recover(why);
    if (!recovered) co_return failure(recovered.error());
    co_return unique_fd{};
}

coro::task<result<void>> listener::recover(error why) noexcept {
    switch (judge(why)) {
        case accept_failure::passing:
            ++counters_.aborted;
            // It would be so each time, had that process ended before it set the flag back.
            if (why.is(EAGAIN)) make_blocking(fd());
            break;
        case accept_failure::fatal: co_return failure(why);
        case accept_failure::shortage: {
            shed_one();
            ++counters_.pauses;
            if (on_shortage_) on_shortage_(why);
            shortage_pause pause{*this};
            auto slept = co_await pause;
            if (!slept) co_return failure(slept.error());
            break;
        }
    }
    co_return result<void>{};
}

void listener::shed_one() noexcept {
    reserve_.reset();
    // The socket may be blocking, and the waiting client may be gone.
    if (io::poll::poll_now(fd(), io::interest::in) == 0) {
        const unique_fd refused{os::sys().accept4(fd(), nullptr, nullptr, SOCK_CLOEXEC)};
        if (refused) {
            ++counters_.shed;
            set_linger_reset(refused.get());
        }
    }
    reserve_ = open_reserve();
}

void listener::take_waiting() noexcept {
    const int socket = socket_.get();
    const int flags = os::sys().fcntl(socket, F_GETFL);
    if (flags < 0) return;
    static_cast<void>(os::sys().fcntl(socket, F_SETFL, flags | O_NONBLOCK));
    // The successor may make the socket block again meanwhile: nothing is asked for that is not
    // there.
    while (io::poll::poll_now(socket, io::interest::in) == 0 && may_take_()) {
        unique_fd next{
            os::sys().accept4(socket, nullptr, nullptr, SOCK_CLOEXEC | engine().socket_flags())};
        // One without memory for it is reset, as any that cannot be served.
        if (!next || !append(left_, std::move(next))) break;
    }
    static_cast<void>(os::sys().fcntl(socket, F_SETFL, flags));
}

void listener::close_now() noexcept {
    left_ = incoming_.take_all();
    if (may_take_) {
        take_waiting();
    } else {
        left_.clear();
    }
    incoming_.shut();
    engine().detach(socket_.get());
    socket_.reset();
}

bool listener::closer::await_suspend(std::coroutine_handle<> h) noexcept {
    io::engine& engine = owner.engine();
    fd = owner.socket_.get();
    owner.incoming_.shut();
    engine.cancel_all(fd);
    if (engine.blocks()) return false;
    // Through the ready queue even if the descriptor is idle: resumed waiters are queued before it.
    set_waiter(h);
    engine.when_idle(*this);
    return true;
}

void listener::closer::await_resume() noexcept {
    if (owner.socket_) owner.close_now();
}

}  // namespace sluice::net
