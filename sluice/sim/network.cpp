// Implements the simulated network's ports and sockets.
#include "sluice/sim/network.hpp"

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "sluice/sim/simulated_kernel.hpp"

namespace sluice::sim {
namespace {

// A client gives up about two minutes after its first SYN (tcp(7), tcp_syn_retries).
constexpr virtual_time connect_limit = 127 * a_second;
constexpr virtual_time longest_handshake = a_millisecond;
constexpr virtual_time longest_life_of_the_ended = 5 * a_millisecond;

/// Copies an option's value out, cut to `size`, as getsockopt(2) does.
template <class T>
int give(const T& option, void* value, socklen_t& size) noexcept {
    size = std::min<socklen_t>(size, sizeof option);
    std::memcpy(value, &option, size);
    return 0;
}

}  // namespace

std::uint16_t network::free_port() noexcept {
    const auto used = [this](std::uint16_t port) {
        return std::ranges::any_of(bound_,
                                   [port](const auto* s) { return s->local().port == port; });
    };
    constexpr std::uint16_t first = 32'768;
    do {
        next_port_ = next_port_ == UINT16_MAX ? first : static_cast<std::uint16_t>(next_port_ + 1);
    } while (used(next_port_));
    return next_port_;
}

bool network::may_bind(const tcp_socket& s, const endpoint& where) const noexcept {
    return std::ranges::none_of(bound_, [&](const tcp_socket* other) {
        const endpoint& there = other->local();
        const bool overlap =
            other->local().port == where.port &&
            (there.receives(where, other->v6_only()) || where.receives(there, s.v6_only()));
        return overlap && !(s.shares_port() && other->shares_port());
    });
}

tcp_socket* network::listener_of(const endpoint& to) noexcept {
    std::vector<tcp_socket*> candidates;
    for (tcp_socket* s : bound_) {
        if (s->listening() && s->local().receives(to, s->v6_only())) candidates.push_back(s);
    }
    if (candidates.empty()) return nullptr;
    return candidates[kernel_.chance().below(candidates.size())];
}

void network::heal(const std::function<bool(const process&)>& stays) {
    for (const auto& weak : std::exchange(stuck_, {})) {
        const auto s = weak.lock();
        if (s != nullptr) s->unstick(s->client() != nullptr && stays(*s->client()));
    }
}

tcp_socket::tcp_socket(network& n, int family, int flags)
    : description{kind::stream, O_RDWR | flags}, network_{n}, family_{family} {}

tcp_socket::~tcp_socket() {
    stop_listening();
    if (stream_ != nullptr) stream_->close(end_, lingers_zero_);
}

void tcp_socket::stop_listening() noexcept {
    if (bound_) network_.remove_bound(*this);
    bound_ = false;
    // Connections that were not accepted are reset.
    for (const auto& each : waiting_) each->lingers_zero_ = true;
    waiting_.clear();
    if (state_ == state::listening) state_ = state::fresh;
}

void tcp_socket::hang_up() noexcept {
    stop_listening();
    if (stream_ != nullptr) stream_->close(end_, true);
    stream_ = nullptr;
    state_ = state::broken;
}

int tcp_socket::bind(const endpoint& where) {
    if (bound_ || state_ != state::fresh) return -EINVAL;
    endpoint wanted = where;
    if (wanted.port == 0) wanted.port = network_.free_port();
    if (!network_.may_bind(*this, wanted)) return -EADDRINUSE;
    local_ = wanted;
    network_.add_bound(*this);
    bound_ = true;
    return 0;
}

int tcp_socket::listen(int backlog) {
    if (state_ != state::fresh && state_ != state::listening) return -EINVAL;
    if (!bound_) {
        endpoint any;
        if (family_ == AF_INET) any.host[10] = any.host[11] = 0xff;
        if (const int failed = bind(any); failed < 0) return failed;
    }
    state_ = state::listening;
    backlog_ = static_cast<std::size_t>(std::max(backlog, 0));
    return 0;
}

std::shared_ptr<tcp_socket> tcp_socket::accept(int& error) {
    error = -EINVAL;
    if (state_ != state::listening) return nullptr;
    error = -EAGAIN;
    if (waiting_.empty()) return nullptr;
    auto taken = std::move(waiting_.front());
    waiting_.pop_front();
    simulated_kernel& k = network_.kernel();
    if (k.chance().chance(k.faults().aborted)) {
        error = -ECONNABORTED;
        if (taken->stream_ != nullptr) taken->stream_->reset();
        return nullptr;
    }
    error = 0;
    return taken;
}

int tcp_socket::connect(const endpoint& to) {
    switch (state_) {
        case state::listening: return -EISCONN;
        case state::connecting: return -EALREADY;
        case state::connected: return std::exchange(connect_reported_, true) ? -EISCONN : 0;
        case state::broken:
            if (connect_reported_) return -EISCONN;
            // A socket whose connect(2) failed may try again.
            state_ = state::fresh;
            return error_ != 0 ? take_error() : -ECONNABORTED;
        case state::fresh: break;
    }
    simulated_kernel& k = network_.kernel();
    peer_ = to;
    // Every address means this machine; "any" means its loopback.
    if (peer_.is_any()) {
        if (peer_.is_v4()) peer_.host[12] = IN_LOOPBACKNET;
        peer_.host.back() = 1;
    }
    const std::uint16_t port = bound_ ? local_.port : network_.free_port();
    if (!bound_ || local_.is_any()) local_.host = peer_.host;
    local_.port = port;
    state_ = state::connecting;
    if (const fiber* f = k.scheduler().current()) client_ = f->owner;
    k.scheduler().after(k.chance().between(0, longest_handshake), [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->send_syn(a_second);
    });
    return -EINPROGRESS;
}

/// `next_try`: how long it waits before the next one if the backlog is full (listen(2)).
void tcp_socket::send_syn(virtual_time next_try) {
    if (state_ != state::connecting) return;
    simulated_kernel& k = network_.kernel();
    random& r = k.chance();
    if (r.chance(k.faults().unanswered)) {
        k.scheduler().after(connect_limit, [weak = weak_from_this()] {
            if (const auto self = weak.lock()) self->fail(ETIMEDOUT);
        });
        return;
    }
    tcp_socket* listener = network_.listener_of(peer_);
    if (listener == nullptr || r.chance(k.faults().refused)) {
        fail(ECONNREFUSED);
        return;
    }
    if (listener->full()) {
        if (next_try > connect_limit / 2) {
            fail(ETIMEDOUT);
            return;
        }
        k.scheduler().after(next_try, [weak = weak_from_this(), next_try] {
            if (const auto self = weak.lock()) self->send_syn(2 * next_try);
        });
        return;
    }
    auto accepted = std::make_shared<tcp_socket>(network_, listener->family_, 0);
    accepted->inherit(*listener);
    accepted->local_ = peer_;
    accepted->peer_ = local_;
    stream_ = std::make_shared<stream>(network_, *this, *accepted);
    stream_->set_buffers(0, send_buffer_, receive_buffer_);
    stream_->set_buffers(1, listener->send_buffer_, listener->receive_buffer_);
    accepted->stream_ = stream_;
    accepted->end_ = 1;
    accepted->state_ = state_ = state::connected;
    accepted->connect_reported_ = true;
    listener->waiting_.push_back(std::move(accepted));
    listener->watchers().notify(POLLIN);
    watchers().notify(POLLOUT);
    if (r.chance(k.faults().ended_at_once)) {
        k.scheduler().after(r.between(0, longest_life_of_the_ended), [s = stream_] { s->reset(); });
    }
}

void tcp_socket::inherit(const tcp_socket& listener) noexcept {
    keep_idle_ = listener.keep_idle_;
    keep_interval_ = listener.keep_interval_;
    keep_probes_ = listener.keep_probes_;
    user_timeout_ = listener.user_timeout_;
    keeps_alive_ = listener.keeps_alive_;
    lingers_zero_ = listener.lingers_zero_;
}

ssize_t tcp_socket::recv(mutable_bytes memory, int flags) {
    if (state_ == state::fresh || state_ == state::listening) return -ENOTCONN;
    if (state_ == state::connecting) return -EAGAIN;
    if (stream_ != nullptr && !memory.empty()) {
        if (stream_->hides(end_)) return -EAGAIN;
        const std::size_t n = std::min(memory.size(), stream_->unread(end_));
        if (n > 0) {
            // MSG_TRUNC drops the bytes instead of copying them (tcp(7)).
            if ((flags & MSG_TRUNC) == 0) static_cast<void>(stream_->peek(end_, memory.first(n)));
            if ((flags & MSG_PEEK) == 0) stream_->consume(end_, n);
            return static_cast<ssize_t>(n);
        }
    }
    if (memory.empty()) return 0;
    if (error_ != 0) return take_error();
    if (receive_shut_ || state_ == state::broken) return 0;
    return stream_->end_has_come(end_) ? 0 : -EAGAIN;
}

ssize_t tcp_socket::send(const_bytes data) {
    if (state_ == state::connecting) return -EAGAIN;
    if (error_ != 0) return take_error();
    if (state_ != state::connected || send_shut_) return -EPIPE;
    if (data.empty()) return 0;
    return stream_->send(end_, data);
}

void tcp_socket::consume(std::size_t n) noexcept {
    if (stream_ != nullptr) stream_->consume(end_, n);
}

std::size_t tcp_socket::space() noexcept {
    // What is broken takes everything: write() reports it.
    if (state_ != state::connected || send_shut_ || error_ != 0) return SIZE_MAX;
    const std::size_t n = stream_->space(end_);
    if (n == 0) static_cast<void>(stream_->writable(end_));
    return n;
}

int tcp_socket::shutdown(int how) {
    if (state_ == state::listening && how != SHUT_WR) {
        stop_listening();
        watchers().notify(POLLIN | POLLHUP);
        return 0;
    }
    if (state_ != state::connected) return -ENOTCONN;
    if (how != SHUT_WR) receive_shut_ = true;
    if (how != SHUT_RD) {
        send_shut_ = true;
        stream_->send_fin(end_);
    }
    watchers().notify(POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
    return 0;
}

// As tcp_poll() of Linux.
short tcp_socket::poll() noexcept {
    switch (state_) {
        case state::fresh: return POLLOUT | POLLHUP;
        case state::listening: return waiting_.empty() ? 0 : POLLIN;
        case state::connecting: return 0;
        case state::connected:
        case state::broken: break;
    }
    const bool broken = state_ == state::broken;
    const bool ended = broken || receive_shut_ || stream_->end_has_come(end_);
    short events = 0;
    if (broken || (ended && send_shut_)) events |= POLLHUP;
    if (ended) events |= POLLIN | POLLRDHUP;
    if (stream_ != nullptr && stream_->unread(end_) > 0) events |= POLLIN;
    if (broken || send_shut_ || stream_->writable(end_)) events |= POLLOUT;
    if (error_ != 0) events |= POLLERR;
    return events;
}

int tcp_socket::ioctl(unsigned long request, void* argument) noexcept {
    if (request != SIOCOUTQ && request != FIONREAD) return -ENOTTY;
    std::size_t n = 0;
    if (stream_ != nullptr && request == FIONREAD) n = stream_->unread(end_);
    if (stream_ != nullptr && request == SIOCOUTQ && !stream_->broken()) {
        n = stream_->unacknowledged(end_);
    }
    const int bytes = static_cast<int>(n);
    std::memcpy(argument, &bytes, sizeof bytes);
    return 0;
}

virtual_time tcp_socket::silence_limit() const noexcept {
    virtual_time limit = never;
    if (keeps_alive_) limit = (keep_idle_ + virtual_time{keep_interval_} * keep_probes_) * a_second;
    if (user_timeout_ > 0) limit = std::min(limit, user_timeout_ * a_millisecond);
    return limit;
}

void tcp_socket::fail(int error) noexcept {
    if (state_ == state::broken) return;
    // After the peer's end a reset answers a send (tcp_reset() of Linux).
    const bool ended = stream_ != nullptr && stream_->end_has_come(end_);
    error_ = error == ECONNRESET && ended ? EPIPE : error;
    state_ = state::broken;
    watchers().notify(POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
}

int tcp_socket::take_error() noexcept {
    return -std::exchange(error_, 0);
}

int tcp_socket::get_option(int level, int name, void* value, socklen_t& size) noexcept {
    if (level == SOL_SOCKET) {
        switch (name) {
            case SO_ERROR: return give(std::exchange(error_, 0), value, size);
            case SO_TYPE: return give(int{SOCK_STREAM}, value, size);
            case SO_DOMAIN: return give(family_, value, size);
            case SO_PROTOCOL: return give(int{IPPROTO_TCP}, value, size);
            case SO_ACCEPTCONN: return give(int{listening()}, value, size);
            case SO_REUSEPORT: return give(int{shares_port_}, value, size);
            case SO_KEEPALIVE: return give(int{keeps_alive_}, value, size);
            case SO_SNDBUF: return give(static_cast<int>(send_buffer_), value, size);
            case SO_RCVBUF: return give(static_cast<int>(receive_buffer_), value, size);
            case SO_LINGER:
                return give(linger{.l_onoff = lingers_zero_ ? 1 : 0, .l_linger = 0}, value, size);
            default: return give(0, value, size);
        }
    }
    if (level == IPPROTO_TCP && name == TCP_INFO) {
        tcp_info info{};
        if (state_ == state::connected) {
            info.tcpi_state = TCP_ESTABLISHED;
            info.tcpi_rtt = static_cast<std::uint32_t>(stream_->round_trip() / a_microsecond);
            info.tcpi_unacked = static_cast<std::uint32_t>(stream_->unacknowledged(end_));
        }
        return give(info, value, size);
    }
    if (level == IPPROTO_TCP && name == TCP_CONGESTION) {
        std::array<char, 16> text{};
        std::string_view{"cubic"}.copy(text.data(), text.size());
        return give(text, value, size);
    }
    return give(0, value, size);
}

// NOLINTNEXTLINE(readability-function-cognitive-complexity): a case for each option
int tcp_socket::set_option(int level, int name, const void* value, socklen_t size) noexcept {
    if (level == SOL_SOCKET && name == SO_LINGER) {
        linger how{};
        if (size < sizeof how) return -EINVAL;
        std::memcpy(&how, value, sizeof how);
        lingers_zero_ = how.l_onoff != 0 && how.l_linger == 0;
        return 0;
    }
    // Its notifications are not simulated.
    if (level == SOL_SOCKET && name == SO_ZEROCOPY) return -EOPNOTSUPP;
    if (level == IPPROTO_TCP && name == TCP_CONGESTION) return 0;
    int number = 0;
    if (size < sizeof number) return -EINVAL;
    std::memcpy(&number, value, sizeof number);
    if (level == SOL_SOCKET) {
        if (name == SO_REUSEPORT) shares_port_ = number != 0;
        if (name == SO_KEEPALIVE) keeps_alive_ = number != 0;
        // The kernel doubles them, for its own use (socket(7)).
        if (name == SO_SNDBUF) send_buffer_ = 2 * static_cast<std::size_t>(number);
        if (name == SO_RCVBUF) receive_buffer_ = 2 * static_cast<std::size_t>(number);
        if (stream_ != nullptr) stream_->set_buffers(end_, send_buffer_, receive_buffer_);
    }
    if (level == IPPROTO_TCP) {
        if (name == TCP_KEEPIDLE) keep_idle_ = number;
        if (name == TCP_KEEPINTVL) keep_interval_ = number;
        if (name == TCP_KEEPCNT) keep_probes_ = number;
        if (name == TCP_USER_TIMEOUT) user_timeout_ = number;
    }
    if (stream_ != nullptr) stream_->change_silence_limit(end_);
    if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY) v6_only_ = number != 0;
    return 0;
}

int tcp_socket::name(sockaddr* address, socklen_t& size) const noexcept {
    endpoint shown = local_;
    if (family_ == AF_INET) shown.host[10] = shown.host[11] = 0xff;
    shown.show(family_, address, size);
    return 0;
}

int tcp_socket::peer(sockaddr* address, socklen_t& size) const noexcept {
    if (state_ != state::connected) return -ENOTCONN;
    peer_.show(family_, address, size);
    return 0;
}

}  // namespace sluice::sim
