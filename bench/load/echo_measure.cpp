// Closed loops of echo clients on one thread, cheap enough to find out what a server can do.
//
// Replies are discarded inside the kernel (MSG_TRUNC, tcp(7)) and counted by their bytes. The
// thread never sleeps: a server that has to wake a sleeping core at every send would be measured
// by the price of that. Messages gather in front of the slower side, so a load that finds a few
// of them at a time, of all that are under way, was waiting for the server.
#include <liburing.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "common.hpp"
#include "echo.hpp"
#include "sluice/base/fd.hpp"
#include "sluice/base/mapping.hpp"

namespace load {
namespace {

constexpr std::size_t most_a_call = 1 << 20;

struct client {
    sluice::unique_fd fd;
    std::size_t part = 0;    // bytes of a message that has not come back whole
    std::size_t unsent = 0;  // bytes that did not fit in the send buffer

    // Takes `bytes` more and returns how many messages they complete.
    std::size_t complete(std::size_t bytes, std::size_t size) {
        part += bytes;
        const std::size_t whole = part / size;
        part -= whole * size;
        return whole;
    }
};

std::vector<client> connect_all(const echo_options& o) {
    std::vector<client> clients(o.connections);
    for (std::size_t i = 0; i < clients.size(); ++i) clients[i].fd = connect_to(o.port, i);
    return clients;
}

std::vector<char> payload_for(const echo_options& o) {
    return std::vector<char>(std::min(o.size * o.depth, most_a_call), 'x');
}

class epoll_clients {
 public:
    explicit epoll_clients(const echo_options& o)
        : size_{o.size}, payload_{payload_for(o)}, clients_{connect_all(o)} {
        epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
        if (!epoll_) fail_with_errno("epoll_create1");
        for (client& c : clients_) {
            epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.ptr = &c}};
            if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, c.fd.get(), &event) != 0) {
                fail_with_errno("epoll_ctl");
            }
            ask(c, o.size * o.depth);
        }
    }

    // Handles what is ready, without waiting; adds to `messages`. False if nothing was.
    bool turn(std::uint64_t& messages) {
        const int count =
            epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), 0);
        if (count < 0 && errno != EINTR) fail_with_errno("epoll_wait");
        for (int i = 0; i < count; ++i) {
            const epoll_event& event = events_[static_cast<std::size_t>(i)];
            client& c = *static_cast<client*>(event.data.ptr);
            if (c.unsent > 0) ask(c, 0);
            if ((event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) {
                messages += take(c);
            }
        }
        return count > 0;
    }

 private:
    void ask(client& c, std::size_t bytes) {
        c.unsent += bytes;
        while (c.unsent > 0) {
            const auto n = std::min(c.unsent, payload_.size());
            const ssize_t sent = send(c.fd.get(), payload_.data(), n, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (sent < 0) {
                if (errno == EAGAIN) return;
                fail_with_errno("sending to the server");
            }
            c.unsent -= static_cast<std::size_t>(sent);
            // A short send has filled the socket: an edge follows when there is space.
            if (static_cast<std::size_t>(sent) < n) return;
        }
    }

    std::size_t take(client& c) {
        // With MSG_TRUNC nothing is copied, so one call empties the socket, whatever it holds.
        const ssize_t got = recv(c.fd.get(), nullptr, 1 << 30, MSG_TRUNC | MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN) return 0;
        if (got < 0) fail_with_errno("receiving from the server");
        if (got == 0) fail("the server closed a connection that was in use");
        const std::size_t whole = c.complete(static_cast<std::size_t>(got), size_);
        if (whole > 0) ask(c, whole * size_);
        return whole;
    }

    std::size_t size_;
    std::vector<char> payload_;
    std::vector<client> clients_;
    sluice::unique_fd epoll_;
    std::array<epoll_event, 512> events_{};
};

// About a tenth cheaper a message than epoll here: one system call a turn, descriptors looked up
// once, receives that stay armed, and no word about sends that went well.
class uring_clients {
 public:
    explicit uring_clients(const echo_options& o)
        : size_{o.size}, payload_{payload_for(o)}, clients_{connect_all(o)} {
        open_ring();
        open_buffers();
        for (std::size_t i = 0; i < clients_.size(); ++i) {
            arm(i);
            ask(i, o.size * o.depth);
        }
    }
    uring_clients(const uring_clients&) = delete;
    uring_clients& operator=(const uring_clients&) = delete;
    ~uring_clients() { io_uring_queue_exit(&ring_); }

    // As epoll_clients::turn.
    bool turn(std::uint64_t& messages) {
        const int status = io_uring_submit_and_get_events(&ring_);
        if (status < 0 && status != -EINTR && status != -EAGAIN && status != -EBUSY) {
            fail("io_uring_enter: " + std::string{std::strerror(-status)});
        }
        unsigned seen = 0;
        int used = 0;
        unsigned head = 0;
        io_uring_cqe* cqe = nullptr;
        io_uring_for_each_cqe(&ring_, head, cqe) {
            ++seen;
            if (cqe->user_data == of_send) {
                fail("sending to the server: " + std::string{std::strerror(-cqe->res)});
            }
            const auto index = static_cast<std::size_t>(cqe->user_data);
            if (cqe->res > 0) {
                ++used;
                const auto bytes = static_cast<std::size_t>(cqe->res);
                const std::size_t whole = clients_[index].complete(bytes, size_);
                if (whole > 0) ask(index, whole * size_);
                messages += whole;
            } else if (cqe->res == 0) {
                fail("the server closed a connection that was in use");
            } else if (cqe->res != -ENOBUFS && cqe->res != -EINTR) {
                fail("receiving from the server: " + std::string{std::strerror(-cqe->res)});
            }
            if ((cqe->flags & IORING_CQE_F_MORE) == 0) arm(index);
        }
        io_uring_cq_advance(&ring_, seen);
        // All buffers are the same memory, which is never written: returning one is counting it.
        io_uring_buf_ring_advance(buffers(), used);
        return seen > 0;
    }

 private:
    static constexpr std::uint64_t of_send = ~std::uint64_t{0};
    static constexpr unsigned buffer_count = 1024;

    void open_ring() {
        io_uring_params params{};
        params.flags =
            IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;
        params.cq_entries = 32 * 1024;
        int status = io_uring_queue_init_params(4096, &ring_, &params);
        if (status == 0) {
            std::vector<int> numbers;
            numbers.reserve(clients_.size());
            for (const client& c : clients_) numbers.push_back(c.fd.get());
            status = io_uring_register_files(&ring_, numbers.data(),
                                             static_cast<unsigned>(numbers.size()));
        }
        if (status == 0) status = std::min(0, io_uring_register_ring_fd(&ring_) - 1);
        if (status < 0) {
            fail("io_uring cannot be used here (" + std::string{std::strerror(-status)} +
                 "): try --engine epoll");
        }
    }

    void open_buffers() {
        entries_ = map(buffer_count * sizeof(io_uring_buf));
        discarded_ = map(most_a_call);
        io_uring_buf_reg registration{};
        // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): how the kernel takes it
        registration.ring_addr = reinterpret_cast<std::uint64_t>(entries_.data());
        registration.ring_entries = buffer_count;
        const int status = io_uring_register_buf_ring(&ring_, &registration, 0);
        if (status < 0) {
            fail("io_uring takes no ring of buffers here (" + std::string{std::strerror(-status)} +
                 "): try --engine epoll");
        }
        io_uring_buf_ring_init(buffers());
        for (unsigned i = 0; i < buffer_count; ++i) {
            io_uring_buf_ring_add(buffers(), discarded_.data(), most_a_call,
                                  static_cast<unsigned short>(i),
                                  io_uring_buf_ring_mask(buffer_count), static_cast<int>(i));
        }
        io_uring_buf_ring_advance(buffers(), static_cast<int>(buffer_count));
    }

    static sluice::mapping map(std::size_t size) {
        auto mapped = sluice::mapping::create(size);
        if (!mapped) fail_with_errno("memory for " + std::to_string(size) + " bytes");
        return std::move(*mapped);
    }

    [[nodiscard]] io_uring_buf_ring* buffers() const {
        return static_cast<io_uring_buf_ring*>(entries_.data());
    }

    io_uring_sqe& next() {
        io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
        while (sqe == nullptr) {
            io_uring_submit(&ring_);
            sqe = io_uring_get_sqe(&ring_);
        }
        return *sqe;
    }

    void arm(std::size_t index) {
        io_uring_sqe& sqe = next();
        io_uring_prep_recv_multishot(&sqe, static_cast<int>(index), nullptr, 0, MSG_TRUNC);
        sqe.flags |= IOSQE_BUFFER_SELECT | IOSQE_FIXED_FILE;
        sqe.ioprio |= IORING_RECVSEND_POLL_FIRST;
        io_uring_sqe_set_data64(&sqe, index);
    }

    void ask(std::size_t index, std::size_t bytes) {
        while (bytes > 0) {
            const auto n = std::min(bytes, payload_.size());
            io_uring_sqe& sqe = next();
            io_uring_prep_send(&sqe, static_cast<int>(index), payload_.data(), n,
                               MSG_NOSIGNAL | MSG_WAITALL);
            sqe.flags |= IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
            io_uring_sqe_set_data64(&sqe, of_send);
            bytes -= n;
        }
    }

    std::size_t size_;
    std::vector<char> payload_;
    std::vector<client> clients_;
    io_uring ring_{};
    sluice::mapping entries_;    // of the ring of buffers
    sluice::mapping discarded_;  // what every buffer points to
};

struct counts {
    std::uint64_t messages = 0;
    std::uint64_t turns = 0;  // that found something
    clock_type::duration idle{};
};

template <class Clients>
counts run_for(Clients& clients, double length) {
    counts c;
    auto before = clock_type::now();
    const auto end = before + std::chrono::duration_cast<clock_type::duration>(seconds{length});
    while (before < end) {
        const bool busy = clients.turn(c.messages);
        const auto after = clock_type::now();
        if (busy) {
            ++c.turns;
        } else {
            c.idle += after - before;
        }
        before = after;
    }
    return c;
}

// One process's clocks, or how far they moved.
struct spent {
    double cpu = 0;
    double waited = 0;
};

spent spent_by(pid_t process) {
    return {cpu_seconds(process), waited_seconds(process)};
}

spent operator-(spent a, spent b) {
    return {a.cpu - b.cpu, a.waited - b.waited};
}

template <class Clients>
void measure_with(const echo_options& o) {
    Clients clients{o};
    run_for(clients, o.warmup);
    const spent server_before = o.server > 0 ? spent_by(o.server) : spent{};
    const spent own_before = spent_by(0);
    const auto start = clock_type::now();
    const counts c = run_for(clients, o.measured);
    const double elapsed = seconds{clock_type::now() - start}.count();
    const spent own = spent_by(0) - own_before;
    const spent server = o.server > 0 ? spent_by(o.server) - server_before : spent{};
    const auto messages = static_cast<double>(c.messages);
    std::printf(
        "{\"seconds\": %.6f, \"messages\": %llu, \"messages_per_second\": %.1f, "
        "\"messages_per_turn\": %.2f, \"server_cpu_seconds\": %.6f, "
        "\"server_waited_seconds\": %.6f, \"load_cpu_seconds\": %.6f, "
        "\"load_waited_seconds\": %.6f, \"load_idle_seconds\": %.6f}\n",
        elapsed, static_cast<unsigned long long>(c.messages), messages / elapsed,
        c.turns > 0 ? messages / static_cast<double>(c.turns) : 0.0, server.cpu, server.waited,
        own.cpu, own.waited, seconds{c.idle}.count());
}

}  // namespace

void measure_echo(const echo_options& options) {
    switch (options.engine) {
        case echo_engine::uring: measure_with<uring_clients>(options); break;
        case echo_engine::epoll: measure_with<epoll_clients>(options); break;
    }
}

}  // namespace load
