// Implements the request-reply load: closed loops, and open loops at a constant rate, on a thread.
//
// Answers that need no check are discarded inside the kernel and counted by their bytes, so that
// the load costs less than any server. Messages queue in front of the slower side: a load with idle
// time was waiting for the server.
#include "sluice/lab/load/exchange.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/lab/load/pacing.hpp"
#include "sluice/lab/load/parts.hpp"
#include "sluice/lab/load/uring_exchange.hpp"

namespace sluice::lab {
namespace {

constexpr std::size_t max_call_size = std::size_t{1} << 20;

struct exchange_client {
    unique_fd fd;
    std::size_t unsent = 0;      // request bytes that the socket did not take yet
    std::size_t sent_of = 0;     // bytes sent of a partly sent request
    std::size_t part = 0;        // bytes received of a partly received answer
    std::string line;            // the partly received answer, where answers are checked
    std::deque<time_point> due;  // of the requests in flight, with a rate
};

class exchanger {
 public:
    explicit exchanger(const exchange_options& o)
        : options_{o}, dial_{o.where}, clients_{o.connections} {
        const std::size_t whole = std::max<std::size_t>(
            1, std::min(o.request.size() * o.depth, max_call_size) / o.request.size());
        for (std::size_t i = 0; i < whole; ++i) payload_ += o.request;
        for (std::size_t i = 0; i < clients_.size(); ++i) open(i);
    }

    /// Answers received since the start.
    [[nodiscard]] std::uint64_t answered() const noexcept { return answered_; }
    [[nodiscard]] std::uint64_t errors() const noexcept { return errors_; }
    /// Requests sent and not answered.
    [[nodiscard]] std::uint64_t in_flight() const noexcept { return in_flight_; }
    /// Records latencies of requests that are due at `when` or later.
    void record_from(time_point when) noexcept { record_from_ = when; }
    [[nodiscard]] const histogram& latencies() const noexcept { return latencies_; }

    /// Sends `depth` requests on every connection.
    void start() {
        for (exchange_client& c : clients_) send_requests(c, options_.depth);
    }
    /// Sends a request that was due at `due`.
    void send_due(time_point due) {
        exchange_client& c = clients_[next_++ % clients_.size()];
        c.due.push_back(due);
        send_requests(c, 1);
    }
    /// Waits up to `timeout`, then sends and receives. Whether any socket was ready.
    bool turn(load_clock::duration timeout) {
        const auto ready = ready_.wait(timeout);
        for (const epoll_event& event : ready) {
            const auto index = static_cast<std::size_t>(event.data.u64);
            push(clients_[index]);
            if (is_readable(event)) receive(index);
        }
        return !ready.empty();
    }
    /// Counts every request in flight as an error, with its latency up to `now`.
    void fail_in_flight(time_point now) {
        errors_ += in_flight_;
        for (exchange_client& c : clients_) {
            for (const auto due : c.due) record_latency(due, now);
        }
    }

 private:
    [[nodiscard]] bool is_paced() const noexcept { return options_.rate > 0; }

    void open(std::size_t index) {
        clients_[index].fd = dial_.dial();
        ready_.add(clients_[index].fd.get(), index);
    }

    void send_requests(exchange_client& c, std::size_t messages) {
        in_flight_ += messages;
        c.unsent += messages * options_.request.size();
        push(c);
    }

    void push(exchange_client& c) {
        while (c.unsent > 0) {
            const auto n = std::min(c.unsent, payload_.size() - c.sent_of);
            const ssize_t sent =
                ::send(c.fd.get(), payload_.data() + c.sent_of, n, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (sent < 0) {
                // EAGAIN also while not connected; recv(2) reports any other error.
                return;
            }
            const auto done = static_cast<std::size_t>(sent);
            c.unsent -= done;
            c.sent_of = (c.sent_of + done) % options_.request.size();
            // A short send has filled the socket buffer: an edge follows when it has space.
            if (done < n) return;
        }
    }

    void receive(std::size_t index) {
        exchange_client& c = clients_[index];
        const long got = options_.answer.empty() ? discard(c.fd.get()) : read_lines(c);
        if (got == -EAGAIN) return;
        if (got <= 0) {
            handle_lost(index, static_cast<int>(-got));
            return;
        }
        if (!options_.answer.empty()) return finish(index, std::exchange(lines_, 0));
        c.part += static_cast<std::size_t>(got);
        const std::size_t whole = c.part / options_.answer_size;
        c.part -= whole * options_.answer_size;
        finish(index, whole);
    }

    /// Counts whole lines in lines_ and wrong ones in errors_. Bytes received, 0 at the end, or
    /// -errno.
    long read_lines(exchange_client& c) {
        std::array<char, 16384> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
        const ssize_t got = ::recv(c.fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (got <= 0) return got < 0 ? -errno : 0;
        std::string_view rest{buffer.data(), static_cast<std::size_t>(got)};
        for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
            c.line += rest.substr(0, end + 1);
            if (c.line != options_.answer) ++errors_;
            c.line.clear();
            ++lines_;
            rest.remove_prefix(end + 1);
        }
        c.line += rest;
        return got;
    }

    void finish(std::size_t index, std::size_t messages) {
        if (messages == 0) return;
        exchange_client& c = clients_[index];
        answered_ += messages;
        in_flight_ -= std::min<std::uint64_t>(in_flight_, messages);
        if (is_paced()) {
            const auto now = load_clock::now();
            for (std::size_t i = 0; i < messages && !c.due.empty(); ++i) {
                record_latency(c.due.front(), now);
                c.due.pop_front();
            }
        }
        if (options_.reconnect) reconnect_client(index);
        if (!is_paced()) send_requests(c, messages);
    }

    void record_latency(time_point due, time_point now) {
        if (due < record_from_) return;
        const auto took = std::chrono::nanoseconds{now - due}.count();
        latencies_.add(static_cast<std::uint64_t>(std::max<std::int64_t>(0, took)));
    }

    void reconnect_client(std::size_t index) {
        exchange_client& c = clients_[index];
        c.sent_of = 0;
        c.part = 0;
        c.line.clear();
        open(index);
    }

    /// Handles a connection that ended early: with a connection per message, a lost answer.
    void handle_lost(std::size_t index, int code) {
        constexpr std::uint64_t too_many = 1000;
        if (!options_.reconnect || ++errors_ > too_many) {
            if (code == 0) lose_server("the server closed a connection that was in use");
            lose_server("a connection to the server was lost", code);
        }
        exchange_client& c = clients_[index];
        in_flight_ -= std::min<std::uint64_t>(in_flight_, 1);
        c.unsent = 0;
        if (!c.due.empty()) c.due.pop_front();
        reconnect_client(index);
        if (!is_paced()) send_requests(c, 1);
    }

    const exchange_options& options_;
    dialer dial_;
    readiness ready_;
    std::vector<exchange_client> clients_;
    std::string payload_;
    std::size_t lines_ = 0;
    std::size_t next_ = 0;
    std::uint64_t answered_ = 0;
    std::uint64_t errors_ = 0;
    std::uint64_t in_flight_ = 0;
    time_point record_from_ = time_point::min();
    histogram latencies_;
};

/// Runs until `end`; adds to the idle time and to the turns of `seen`.
template <class Clients>
void run_until(Clients& clients, time_point end, bool sleeps, outcome& seen) {
    auto before = load_clock::now();
    while (before < end) {
        const auto timeout = sleeps ? end - before : load_clock::duration::zero();
        const bool busy = clients.turn(timeout);
        const auto after = load_clock::now();
        if (busy) {
            ++seen.turns;
        } else if (!sleeps) {
            seen.idle += in_seconds(std::min<load_clock::duration>(after - before, longest_look));
        }
        before = after;
    }
}

template <class Clients>
outcome run_closed(Clients& clients, const exchange_options& o) {
    outcome before;
    clients.start();
    run_until(clients, load_clock::now() + seconds_of(o.warmup), o.sleeps, before);
    outcome seen;
    const window counted{o.server};
    const auto answered = clients.answered();
    const auto errors = clients.errors();
    const auto end = counted.begun() + seconds_of(o.measured);
    run_until(clients, end, o.sleeps, seen);
    // On a busy machine a short window may pass without an answer, and a rate of 0 says nothing.
    const auto last = end + seconds_of(o.timeout);
    while (clients.answered() == answered && load_clock::now() < last) {
        clients.turn(std::chrono::milliseconds{1});
    }
    counted.close(seen);
    seen.errors = clients.errors() - errors;
    seen.amount = static_cast<double>(clients.answered() - answered);
    return seen;
}

outcome run_paced(exchanger& clients, const exchange_options& o) {
    outcome seen;
    const auto start = load_clock::now();
    const auto first = start + seconds_of(o.warmup);
    const auto end = first + seconds_of(o.measured);
    pacing messages{start, o.rate};
    clients.record_from(first);
    std::optional<window> counted;
    std::uint64_t answered = 0;
    // After a run-queue wait at the end, the load still sends all due messages.
    for (auto now = start; now < end || messages.next() < end; now = load_clock::now()) {
        if (!counted && now >= first) {
            answered = clients.answered();
            counted.emplace(o.server);
        }
        while (messages.is_due(now) && messages.next() < end) clients.send_due(messages.take());
        const auto left = std::min(messages.next(), end) - load_clock::now();
        const bool may_sleep = o.sleeps && left > load_clock::duration::zero();
        clients.turn(may_sleep ? left : load_clock::duration::zero());
    }
    if (counted) counted->close(seen);
    seen.amount = static_cast<double>(clients.answered() - answered);
    const auto last = end + seconds_of(o.timeout);
    while (clients.in_flight() > 0 && load_clock::now() < last) {
        clients.turn(std::chrono::milliseconds{1});
    }
    clients.fail_in_flight(load_clock::now());
    seen.errors = clients.errors();
    seen.latencies = clients.latencies();
    return seen;
}

bool wants_uring(const exchange_options& o) {
    if (o.engine == load_engine::epoll) return false;
    const bool can = o.rate <= 0 && !o.reconnect && !o.sleeps && o.answer.empty();
    if (o.engine == load_engine::uring && !can) {
        give_up("a load on io_uring has no rate, keeps its connections, and looks at no answer");
    }
    return can;
}

}  // namespace

std::expected<outcome, load_failure> exchange(const exchange_options& o) {
    try {
        if (wants_uring(o)) {
            if (auto clients = uring_exchanger::make(o)) return run_closed(*clients, o);
            if (o.engine == load_engine::uring) {
                give_up("io_uring cannot be used here: try --engine epoll");
            }
        }
        exchanger clients{o};
        return o.rate > 0 ? run_paced(clients, o) : run_closed(clients, o);
    } catch (const load_error& e) {
        return std::unexpected{e.why()};
    }
}

std::expected<std::string, load_failure> learn_answer(const net::address& where,
                                                      const std::string& request) {
    try {
        const unique_fd socket = dialer{where}.dial_and_wait();
        if (::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) {
            lose_server("cannot ask the first question", errno);
        }
        std::string answer;
        std::array<char, 4096> buffer{};
        while (!answer.ends_with('\n')) {
            const ssize_t got = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
            if (got < 0) lose_server("no answer came to the first question", errno);
            if (got == 0) lose_server("the server closed the connection before it had answered");
            answer.append(buffer.data(), static_cast<std::size_t>(got));
        }
        return answer;
    } catch (const load_error& e) {
        return std::unexpected{e.why()};
    }
}

}  // namespace sluice::lab
