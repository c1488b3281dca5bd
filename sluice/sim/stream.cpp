// Implements stream: how bytes flow, and what the faults do to them.
#include "sluice/sim/stream.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "sluice/sim/network.hpp"
#include "sluice/sim/simulated_kernel.hpp"

namespace sluice::sim {
namespace {

// What Linux allows, up to what a small world needs: a reader that does not read is soon felt.
constexpr double smallest_buffer = 2304;
constexpr double largest_buffer = 256 << 10;

constexpr virtual_time longest_latency = 200 * a_microsecond;
constexpr virtual_time longest_delay = 100 * a_millisecond;
constexpr virtual_time longest_clog = 5 * a_second;
// How long a stream takes or shows nothing, as after a lack of memory in the kernel.
constexpr virtual_time longest_stall = a_millisecond;
constexpr virtual_time longest_hiding = 100 * a_microsecond;
// About 15 minutes of retransmissions (tcp(7), tcp_retries2).
constexpr virtual_time retransmissions_end = 924 * a_second;

}  // namespace

stream::stream(network& n, tcp_socket& connecting, tcp_socket& accepted)
    : network_{n}, client_{connecting.client()}, ends_{&connecting, &accepted} {
    random& r = n.kernel().chance();
    const auto draw = [&r] {
        return static_cast<std::size_t>(r.log_uniform(smallest_buffer, largest_buffer));
    };
    for (way& w : ways_) {
        w.send_limit = draw();
        w.receive_limit = draw();
    }
    // A loopback delivers within the call of the sender.
    if (r.chance(0.5)) latency_ = r.between(1, longest_latency);
}

ssize_t stream::send(std::size_t e, const_bytes data) {
    way& w = ways_[e];
    if (w.stalled || w.on_the_way() >= w.send_limit) {
        w.wants_space = true;
        return -EAGAIN;
    }
    random& r = network_.kernel().chance();
    const fault_rates& rates = network_.kernel().faults();
    if (r.chance(rates.not_now)) {
        stall(e);
        return -EAGAIN;
    }
    const std::size_t free = std::min(data.size(), w.send_limit - w.on_the_way());
    std::size_t n = free;
    if (n > 1 && r.chance(rates.single_byte)) {
        n = 1;
    } else if (n > 1 && r.chance(rates.short_write)) {
        n = 1 + r.below(n);
    }
    w.bytes.push(data.first(n));
    // A short send means that there is no space: an event says when there is (epoll(7)).
    if (n < free) {
        stall(e);
    } else if (n < data.size()) {
        w.wants_space = true;
    }
    if (gone_) time_out(e);
    flow_soon(e);
    return static_cast<ssize_t>(n);
}

std::size_t stream::peek(std::size_t e, mutable_bytes memory) const noexcept {
    const way& w = ways_[1 - e];
    return w.bytes.peek(memory.first(std::min(memory.size(), w.arrived)));
}

void stream::consume(std::size_t e, std::size_t n) {
    way& w = ways_[1 - e];
    w.bytes.pop(n);
    w.arrived -= n;
    flow_soon(1 - e);
}

bool stream::hides(std::size_t e) {
    way& w = ways_[1 - e];
    if (w.hidden) return true;
    simulated_kernel& k = network_.kernel();
    // Once the end has come no event will come again.
    if (w.arrived == 0 || w.fin_arrived || broken_ || !k.chance().chance(k.faults().not_now)) {
        return false;
    }
    w.hidden = true;
    k.scheduler().after(k.chance().between(1, longest_hiding), [self = shared_from_this(), e] {
        self->ways_[1 - e].hidden = false;
        if (self->ends_[e] != nullptr) self->ends_[e]->watchers().notify(POLLIN);
    });
    return true;
}

void stream::send_fin(std::size_t e) {
    if (std::exchange(ways_[e].fin_sent, true)) return;
    flow_soon(e);
}

void stream::close(std::size_t e, bool reset) {
    ends_[e] = nullptr;
    if (broken_) return;
    if (!reset && unread(e) == 0) {
        send_fin(e);
        return;
    }
    // What was sent and has not come is lost (RFC 9293, 3.10.4; tcp(7), "ABORT").
    broken_ = true;
    if (gone_) return;
    network_.kernel().scheduler().after(
        latency_ + 1, [self = shared_from_this(), e] { self->break_end(1 - e, ECONNRESET); });
}

std::size_t stream::unread(std::size_t e) const noexcept {
    return ways_[1 - e].hidden ? 0 : ways_[1 - e].arrived;
}

std::size_t stream::unacknowledged(std::size_t e) const noexcept {
    const way& w = ways_[e];
    return w.on_the_way() + (w.fin_sent && !w.fin_arrived ? 1 : 0);
}

std::size_t stream::space(std::size_t e) const noexcept {
    const way& w = ways_[e];
    return w.stalled ? 0 : w.send_limit - std::min(w.send_limit, w.on_the_way());
}

bool stream::writable(std::size_t e) noexcept {
    way& w = ways_[e];
    // As sk_stream_is_writeable() of Linux: free space is at least half of what is used.
    const bool enough = !w.stalled && 3 * w.on_the_way() <= 2 * w.send_limit;
    if (!enough) w.wants_space = true;
    return enough;
}

void stream::set_buffers(std::size_t e, std::size_t sending, std::size_t receiving) noexcept {
    constexpr auto smallest = static_cast<std::size_t>(smallest_buffer);
    if (sending != 0) ways_[e].send_limit = std::max(smallest, sending);
    if (receiving != 0) ways_[1 - e].receive_limit = std::max(smallest, receiving);
}

void stream::reset() {
    if (std::exchange(broken_, true)) return;
    break_end(0, ECONNRESET);
    break_end(1, ECONNRESET);
}

void stream::unstick(bool but_to_client) {
    for (const std::size_t from : {0U, 1U}) {
        if (from == 1 && but_to_client) continue;
        if (std::exchange(ways_[from].stuck, false)) flow_soon(from);
    }
}

void stream::stall(std::size_t from) {
    ways_[from].stalled = ways_[from].wants_space = true;
    simulated_kernel& k = network_.kernel();
    k.scheduler().after(k.chance().between(1, longest_stall), [self = shared_from_this(), from] {
        self->ways_[from].stalled = false;
        self->offer_space(from);
    });
}

void stream::offer_space(std::size_t from) {
    way& w = ways_[from];
    if (!w.wants_space || broken_ || ends_[from] == nullptr || !writable(from)) return;
    w.wants_space = false;
    ends_[from]->watchers().notify(POLLOUT);
}

/// Sees to it that flow() is called, unless there is nothing that it could move. `later`: not at
/// once, as a part has just come, and the rest is to come alone.
void stream::flow_soon(std::size_t from, bool later) {
    way& w = ways_[from];
    if (w.flowing || w.stuck || broken_ || gone_) return;
    const bool may_move =
        w.on_the_way() > 0 && (w.arrived < w.receive_limit || ends_[1 - from] == nullptr);
    const bool may_end = w.on_the_way() == 0 && w.fin_sent && !w.fin_arrived;
    if (!may_move && !may_end) return;
    simulated_kernel& k = network_.kernel();
    random& r = k.chance();
    const fault_rates& rates = k.faults();
    if (r.chance(rates.stuck)) {
        w.stuck = true;
        network_.add_stuck(weak_from_this());
        return;
    }
    if (r.chance(rates.gone)) {
        lose_peer();
        return;
    }
    virtual_time in = latency_;
    if (r.chance(rates.delay)) in += r.between(0, longest_delay);
    if (r.chance(rates.clog)) in += r.between(0, longest_clog);
    if (later) in += r.between(1, longest_latency);
    if (in == 0) {
        flow(from);
        return;
    }
    w.flowing = true;
    k.scheduler().after(in, [self = shared_from_this(), from] {
        self->ways_[from].flowing = false;
        self->flow(from);
    });
}

void stream::flow(std::size_t from) {
    if (broken_ || gone_) return;
    way& w = ways_[from];
    tcp_socket* receiver = ends_[1 - from];
    simulated_kernel& k = network_.kernel();
    random& r = k.chance();
    if (r.chance(k.faults().reset)) {
        reset();
        return;
    }
    if (receiver == nullptr && w.on_the_way() > 0) {
        // A host answers data for a socket that is closed with a reset.
        broken_ = true;
        break_end(from, ECONNRESET);
        return;
    }
    std::size_t n =
        std::min(w.on_the_way(), w.receive_limit - std::min(w.receive_limit, w.arrived));
    if (n > 1 && r.chance(k.faults().single_byte)) {
        n = 1;
    } else if (n > 1 && r.chance(k.faults().short_arrival)) {
        n = 1 + r.below(n);
    }
    w.arrived += n;
    if (n > 0 && !w.hidden) receiver->watchers().notify(POLLIN);
    if (n > 0) offer_space(from);
    // The end comes with the last bytes, or after them.
    if (w.on_the_way() == 0 && w.fin_sent && !w.fin_arrived && (n == 0 || r.chance(0.5))) {
        w.fin_arrived = true;
        w.hidden = false;
        if (receiver != nullptr) receiver->watchers().notify(POLLIN | POLLRDHUP | POLLHUP);
    }
    flow_soon(from, true);
}

void stream::break_end(std::size_t e, int error) {
    for (way& w : ways_) {
        w.bytes.cut(w.arrived);
        w.hidden = false;
    }
    if (ends_[e] != nullptr) ends_[e]->fail(error);
}

/// No packet arrives any more. Each end finds out by its own timers, or never.
void stream::lose_peer() {
    if (std::exchange(gone_, true)) return;
    for (const std::size_t e : {0U, 1U}) time_out(e);
}

void stream::change_silence_limit(std::size_t e) {
    if (gone_) time_out(e);
}

void stream::time_out(std::size_t e) {
    if (ends_[e] == nullptr) return;
    const virtual_time sent = ways_[e].on_the_way() > 0 ? retransmissions_end : never;
    const virtual_time limit = std::min(sent, ends_[e]->silence_limit());
    if (limit == never) return;
    // A program may have set a shorter limit since the last packet was lost.
    scheduler& time = network_.kernel().scheduler();
    if (time.now() + limit >= times_out_[e]) return;
    times_out_[e] = time.now() + limit;
    time.after(limit, [self = shared_from_this(), e] {
        // The bytes that it sent are lost, those that it has not read are not.
        if (self->ends_[e] != nullptr) self->ends_[e]->fail(ETIMEDOUT);
    });
}

}  // namespace sluice::sim
