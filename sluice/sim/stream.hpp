// Stream: a TCP connection of the simulated network, its two directions and all that goes wrong.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "sluice/base/bytes.hpp"
#include "sluice/sim/byte_queue.hpp"
#include "sluice/sim/scheduler.hpp"

namespace sluice::sim {

class network;
class process;
class tcp_socket;

/// A connection between two sockets, the ends 0 (that connected) and 1. Within a direction bytes
/// come once and in order. It outlives its sockets until its last bytes have come or are lost.
class stream : public std::enable_shared_from_this<stream> {
 public:
    stream(network& n, tcp_socket& connecting, tcp_socket& accepted);
    stream(const stream&) = delete;
    stream& operator=(const stream&) = delete;
    ~stream() = default;

    /// @name At end `e`; no call waits
    /// @{
    /// Bytes that were taken; -EAGAIN if there is no space.
    [[nodiscard]] ssize_t send(std::size_t e, const_bytes data);
    /// Bytes that have come, at most `memory.size()`; 0 if there are none.
    [[nodiscard]] std::size_t peek(std::size_t e, mutable_bytes memory) const noexcept;
    /// Takes `n` of the bytes that have come.
    void consume(std::size_t e, std::size_t n);
    /// True if a read is to see nothing this time, although bytes have come.
    [[nodiscard]] bool hides(std::size_t e);
    /// Ends the sending side, after what was sent.
    void send_fin(std::size_t e);
    /// Its socket is gone. With `reset`, or with bytes unread, the peer is reset.
    void close(std::size_t e, bool reset);
    /// @}

    /// Bytes that have come and are not read.
    [[nodiscard]] std::size_t unread(std::size_t e) const noexcept;
    /// Bytes that were sent and have not come (tcp(7), SIOCOUTQ).
    [[nodiscard]] std::size_t unacknowledged(std::size_t e) const noexcept;
    /// How much send() takes.
    [[nodiscard]] std::size_t space(std::size_t e) const noexcept;
    /// As poll(2) sees it: a third of the buffer. If not, on_change(POLLOUT) follows once it is.
    [[nodiscard]] bool writable(std::size_t e) noexcept;
    [[nodiscard]] bool end_has_come(std::size_t e) const noexcept {
        return ways_[1 - e].fin_arrived;
    }
    [[nodiscard]] bool broken() const noexcept { return broken_; }
    /// The process that has connected; it may be over.
    [[nodiscard]] const process* client() const noexcept { return client_; }
    [[nodiscard]] virtual_time round_trip() const noexcept { return 2 * latency_; }
    /// Sets the sizes of the buffers (SO_SNDBUF, SO_RCVBUF) in bytes; 0 leaves one.
    void set_buffers(std::size_t e, std::size_t sending, std::size_t receiving) noexcept;

    /// The socket at end `e` has another silence_limit().
    void change_silence_limit(std::size_t e);
    /// Both ends get ECONNRESET, now.
    void reset();
    /// Lets a direction that stands still go on; with `but_to_client` not that to end 0.
    void unstick(bool but_to_client);

 private:
    struct way {                  // from one end to the other
        byte_queue bytes;         // those that have come first
        std::size_t arrived = 0;  // and are not read
        std::size_t send_limit = 0;
        std::size_t receive_limit = 0;
        bool fin_sent = false;
        bool fin_arrived = false;
        bool flowing = false;      // an event will call flow()
        bool stuck = false;        // no event will
        bool stalled = false;      // takes nothing for a while
        bool hidden = false;       // shows nothing for a while
        bool wants_space = false;  // a sender waits

        [[nodiscard]] std::size_t on_the_way() const noexcept { return bytes.size() - arrived; }
    };

    void flow_soon(std::size_t from, bool later = false);
    void flow(std::size_t from);
    void stall(std::size_t from);
    void offer_space(std::size_t from);
    void break_end(std::size_t e, int error);
    void lose_peer();
    void time_out(std::size_t e);

    network& network_;
    const process* client_;
    std::array<way, 2> ways_;  // by the end that sends
    std::array<tcp_socket*, 2> ends_;
    virtual_time latency_ = 0;
    bool broken_ = false;
    bool gone_ = false;
    std::array<virtual_time, 2> times_out_{never, never};
};

}  // namespace sluice::sim
