// Closed loops, and open ones at a constant rate, of clients on one thread.
//
// Answers that nobody looks at are discarded inside the kernel and counted by their bytes, so that
// the load costs less than any server. Messages gather in front of whoever is slower: a load that
// was idle for some of the time was waiting for the server.
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

constexpr std::size_t most_a_call = std::size_t{1} << 20;

struct exchange_client {
    unique_fd fd;
    std::size_t unsent = 0;   // bytes the socket had no room for
    std::size_t sent_of = 0;  // bytes of a request that is partly sent
    std::size_t part = 0;     // bytes of an answer that has not come whole
    std::string line;         // the same, where answers are looked at
    std::deque<time_point> due;
};

class exchanger {
 public:
    explicit exchanger(const exchange_options& o)
        : options_{o}, dial_{o.where}, clients_{o.connections} {
        const std::size_t whole = std::max<std::size_t>(
            1, std::min(o.request.size() * o.depth, most_a_call) / o.request.size());
        for (std::size_t i = 0; i < whole; ++i) payload_ += o.request;
        for (std::size_t i = 0; i < clients_.size(); ++i) open(i);
    }

    /// Messages answered since the beginning.
    [[nodiscard]] std::uint64_t answered() const noexcept { return answered_; }
    [[nodiscard]] std::uint64_t errors() const noexcept { return errors_; }
    /// Messages sent and not answered.
    [[nodiscard]] std::uint64_t under_way() const noexcept { return under_way_; }
    /// Latencies of what was due from then on are kept.
    void keep_from(time_point when) noexcept { kept_from_ = when; }
    [[nodiscard]] const histogram& latencies() const noexcept { return latencies_; }

    /// Every connection gets as much under way as it may have.
    void start() {
        for (exchange_client& c : clients_) ask(c, options_.depth);
    }
    /// One message that was due at `due`.
    void ask_at(time_point due) {
        exchange_client& c = clients_[next_++ % clients_.size()];
        c.due.push_back(due);
        ask(c, 1);
    }
    /// Takes in what came, in `patience` at most; whether anything did.
    bool turn(load_clock::duration patience) {
        const auto ready = ready_.wait(patience);
        for (const epoll_event& event : ready) {
            const auto index = static_cast<std::size_t>(event.data.u64);
            push(clients_[index]);
            if (is_readable(event)) take(index);
        }
        return !ready.empty();
    }
    /// Whoever has not been answered counts as an error, and as late as it is by now.
    void give_up_waiting(time_point now) {
        errors_ += under_way_;
        for (exchange_client& c : clients_) {
            for (const auto due : c.due) note(due, now);
        }
    }

 private:
    [[nodiscard]] bool is_paced() const noexcept { return options_.rate > 0; }

    void open(std::size_t index) {
        clients_[index].fd = dial_.dial();
        ready_.add(clients_[index].fd.get(), index);
    }

    void ask(exchange_client& c, std::size_t messages) {
        under_way_ += messages;
        c.unsent += messages * options_.request.size();
        push(c);
    }

    void push(exchange_client& c) {
        while (c.unsent > 0) {
            const auto n = std::min(c.unsent, payload_.size() - c.sent_of);
            const ssize_t sent =
                ::send(c.fd.get(), payload_.data() + c.sent_of, n, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (sent < 0) {
                // Not connected yet is EAGAIN as well; what else it is, receiving will say.
                return;
            }
            const auto done = static_cast<std::size_t>(sent);
            c.unsent -= done;
            c.sent_of = (c.sent_of + done) % options_.request.size();
            // A short send has filled the socket: an edge follows when there is room.
            if (done < n) return;
        }
    }

    void take(std::size_t index) {
        exchange_client& c = clients_[index];
        const long got = options_.answer.empty() ? discard(c.fd.get()) : read_lines(c);
        if (got == -EAGAIN) return;
        if (got <= 0) {
            lose(index, static_cast<int>(-got));
            return;
        }
        if (!options_.answer.empty()) return finish(index, std::exchange(lines_, 0));
        c.part += static_cast<std::size_t>(got);
        const std::size_t whole = c.part / options_.answer_size;
        c.part -= whole * options_.answer_size;
        finish(index, whole);
    }

    /// Counts lines in lines_, and those that are wrong.
    long read_lines(exchange_client& c) {
        std::array<char, 16384> room;  // NOLINT(cppcoreguidelines-pro-type-member-init)
        const ssize_t got = ::recv(c.fd.get(), room.data(), room.size(), MSG_DONTWAIT);
        if (got <= 0) return got < 0 ? -errno : 0;
        std::string_view rest{room.data(), static_cast<std::size_t>(got)};
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
        under_way_ -= std::min<std::uint64_t>(under_way_, messages);
        if (is_paced()) {
            const auto now = load_clock::now();
            for (std::size_t i = 0; i < messages && !c.due.empty(); ++i) {
                note(c.due.front(), now);
                c.due.pop_front();
            }
        }
        if (options_.reconnect) renew(index);
        if (!is_paced()) ask(c, messages);
    }

    void note(time_point due, time_point now) {
        if (due < kept_from_) return;
        const auto took = std::chrono::nanoseconds{now - due}.count();
        latencies_.add(static_cast<std::uint64_t>(std::max<std::int64_t>(0, took)));
    }

    void renew(std::size_t index) {
        exchange_client& c = clients_[index];
        c.sent_of = 0;
        c.part = 0;
        c.line.clear();
        open(index);
    }

    /// A connection that ended early: a lost answer where each message has its own.
    void lose(std::size_t index, int code) {
        constexpr std::uint64_t too_many = 1000;
        if (!options_.reconnect || ++errors_ > too_many) {
            if (code == 0) give_up("the server closed a connection that was in use");
            give_up("a connection to the server was lost", code);
        }
        exchange_client& c = clients_[index];
        under_way_ -= std::min<std::uint64_t>(under_way_, 1);
        c.unsent = 0;
        if (!c.due.empty()) c.due.pop_front();
        renew(index);
        if (!is_paced()) ask(c, 1);
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
    std::uint64_t under_way_ = 0;
    time_point kept_from_ = time_point::min();
    histogram latencies_;
};

/// Until then; how long it had nothing to do.
template <class Clients>
double run_until(Clients& clients, time_point end, bool sleeps) {
    double idle = 0;
    auto before = load_clock::now();
    while (before < end) {
        const auto patience = sleeps ? end - before : load_clock::duration::zero();
        const bool busy = clients.turn(patience);
        const auto after = load_clock::now();
        if (!busy && !sleeps)
            idle += in_seconds(std::min<load_clock::duration>(after - before, longest_look));
        before = after;
    }
    return idle;
}

template <class Clients>
outcome run_closed(Clients& clients, const exchange_options& o) {
    outcome seen;
    clients.start();
    run_until(clients, load_clock::now() + seconds_of(o.warmup), o.sleeps);
    const window counted{o.server};
    const auto answered = clients.answered();
    const auto errors = clients.errors();
    const auto end = counted.begun() + seconds_of(o.measured);
    seen.idle = run_until(clients, end, o.sleeps);
    // On a busy machine a short window may pass without an answer, and a rate of 0 says nothing.
    const auto last = end + seconds_of(o.patience);
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
    clients.keep_from(first);
    std::optional<window> counted;
    std::uint64_t answered = 0;
    // Whoever was kept from its core at the end sends what was due all the same.
    for (auto now = start; now < end || messages.next() < end; now = load_clock::now()) {
        if (!counted && now >= first) {
            answered = clients.answered();
            counted.emplace(o.server);
        }
        while (messages.is_due(now) && messages.next() < end) clients.ask_at(messages.take());
        const auto left = std::min(messages.next(), end) - load_clock::now();
        const bool may_sleep = o.sleeps && left > load_clock::duration::zero();
        clients.turn(may_sleep ? left : load_clock::duration::zero());
    }
    if (counted) counted->close(seen);
    seen.amount = static_cast<double>(clients.answered() - answered);
    const auto last = end + seconds_of(o.patience);
    while (clients.under_way() > 0 && load_clock::now() < last) {
        clients.turn(std::chrono::milliseconds{1});
    }
    clients.give_up_waiting(load_clock::now());
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

std::expected<outcome, std::string> exchange(const exchange_options& o) {
    try {
        if (wants_uring(o)) {
            if (auto clients = uring_exchanger::make(o)) return run_closed(*clients, o);
            if (o.engine == load_engine::uring) {
                give_up("io_uring cannot be used here: try --engine epoll");
            }
        }
        exchanger clients{o};
        return o.rate > 0 ? run_paced(clients, o) : run_closed(clients, o);
    } catch (const trouble& what) {
        return std::unexpected{std::string{what.what()}};
    }
}

std::expected<std::string, std::string> learn_answer(const net::address& where,
                                                     const std::string& request) {
    try {
        const unique_fd one = dialer{where}.dial_and_wait();
        if (::send(one.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) {
            give_up("cannot ask the first question", errno);
        }
        std::string answer;
        std::array<char, 4096> room{};
        while (!answer.ends_with('\n')) {
            const ssize_t got = ::recv(one.get(), room.data(), room.size(), 0);
            if (got < 0) give_up("no answer came to the first question", errno);
            if (got == 0) give_up("the server closed the connection before it had answered");
            answer.append(room.data(), static_cast<std::size_t>(got));
        }
        return answer;
    } catch (const trouble& what) {
        return std::unexpected{std::string{what.what()}};
    }
}

}  // namespace sluice::lab
