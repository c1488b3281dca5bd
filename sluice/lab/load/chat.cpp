// Implements the chat load: senders and members of one room, within a window or at a rate.
#include "sluice/lab/load/chat.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/lab/load/pacing.hpp"
#include "sluice/lab/load/parts.hpp"

namespace sluice::lab {
namespace {

constexpr std::string_view mark = "@";
constexpr std::size_t stamp_digits = 16;
constexpr auto idle_timeout = std::chrono::milliseconds{100};  // after it the chat counts as idle

struct peer {
    unique_fd fd;
    bool listens = false;
    std::string unsent;
    std::string rest;  // an incompletely received mark
};

class chat_clients {
 public:
    explicit chat_clients(const chat_options& o)
        : options_{o}, dial_{o.where}, plain_(o.size, 'x') {
        for (std::size_t i = 0; i < o.senders; ++i) join(fmt::format("/nick s{:05}\n", i), false);
        for (std::size_t i = 0; i < o.members; ++i) join({}, true);
        drain();
        calibrate();
    }

    [[nodiscard]] double delivered() const {
        return static_cast<double>(bytes_) / bytes_per_delivery_;
    }
    [[nodiscard]] const histogram& latencies() const noexcept { return latencies_; }
    void record_from(time_point when) noexcept { record_from_ = when.time_since_epoch().count(); }

    /// Fills the window and receives. Whether any socket was ready.
    bool turn() {
        const double outstanding =
            static_cast<double>(sent_) - delivered() / static_cast<double>(options_.members);
        const auto window = std::max(options_.window, options_.senders);
        const double free = static_cast<double>(window) - outstanding;
        if (free >= static_cast<double>(options_.senders)) {
            const auto each = static_cast<std::size_t>(free) / options_.senders;
            for (std::size_t i = 0; i < options_.senders; ++i)
                send_messages(peers_[i], plain_, each);
        }
        return receive(poll_timeout(), false);
    }
    /// Sends the message that was due at `due`.
    void send_due(time_point due) {
        send_messages(peers_[next_++ % options_.senders], text_for(due), 1);
    }
    bool receive_timed() { return receive(poll_timeout(), true); }
    void drain_timed() {
        while (receive(idle_timeout, true)) {
        }
    }
    [[nodiscard]] std::uint64_t timed() const noexcept { return timed_; }

 private:
    /// Short, so that messages due in the meantime are not late.
    [[nodiscard]] load_clock::duration poll_timeout() const noexcept {
        if (!options_.sleeps) return load_clock::duration::zero();
        return std::chrono::microseconds{200};
    }

    void join(const std::string& command, bool listens) {
        peer p;
        p.fd = dial_.dial_and_wait();
        p.listens = listens;
        if (!command.empty() &&
            ::send(p.fd.get(), command.data(), command.size(), MSG_NOSIGNAL) < 0) {
            lose_server("cannot join the chat", errno);
        }
        wait_for(p, command.empty() ? "* welcome" : "* you are now");
        ready_.add(p.fd.get(), peers_.size());
        peers_.push_back(std::move(p));
    }

    static void wait_for(const peer& p, std::string_view answer) {
        constexpr int timeout_ms = 10'000;
        std::string received;
        std::array<char, 4096> space{};
        while (!received.contains(answer)) {
            pollfd one{.fd = p.fd.get(), .events = POLLIN, .revents = 0};
            if (::poll(&one, 1, timeout_ms) != 1) {
                lose_server(fmt::format("the chat did not say '{}' within 10 s", answer));
            }
            const ssize_t got = ::recv(p.fd.get(), space.data(), space.size(), 0);
            if (got <= 0) lose_server("the chat closed a connection on joining");
            received.append(space.data(), static_cast<std::size_t>(got));
        }
    }

    void drain() {
        while (receive(idle_timeout, false)) {
        }
    }

    /// Measures the bytes of a delivered message: every sender sends one.
    void calibrate() {
        const auto before = bytes_;
        for (std::size_t i = 0; i < options_.senders; ++i) send_messages(peers_[i], plain_, 1);
        drain();
        const auto deliveries = static_cast<double>(options_.senders * options_.members);
        bytes_per_delivery_ = static_cast<double>(bytes_ - before) / deliveries;
        if (bytes_per_delivery_ < static_cast<double>(options_.size)) {
            give_up(fmt::format("a message of {} bytes did not reach every member", options_.size));
        }
        sent_ = 0;
        bytes_ = 0;
    }

    [[nodiscard]] std::string text_for(time_point due) const {
        std::string text = fmt::format("{}{:016x}", mark, due.time_since_epoch().count());
        text.resize(std::max(options_.size, text.size()), 'x');
        return text;
    }

    void send_messages(peer& p, std::string_view text, std::size_t times) {
        for (std::size_t i = 0; i < times; ++i) {
            p.unsent += text;
            p.unsent += '\n';
        }
        sent_ += times;
        push(p);
    }
    static void push(peer& p) {
        if (p.unsent.empty()) return;
        const ssize_t n =
            ::send(p.fd.get(), p.unsent.data(), p.unsent.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) lose_server("cannot send to the chat", errno);
        if (n > 0) p.unsent.erase(0, static_cast<std::size_t>(n));
    }

    bool receive(load_clock::duration timeout, bool is_timed) {
        const auto ready = ready_.wait(timeout);
        for (const epoll_event& event : ready) {
            peer& p = peers_[static_cast<std::size_t>(event.data.u64)];
            push(p);
            if (!is_readable(event)) continue;
            const long got = is_timed && p.listens ? read(p) : discard(p.fd.get());
            if (got == -EAGAIN) continue;
            if (got == 0) lose_server("the chat closed a connection that was in use");
            if (got < 0) lose_server("a connection to the chat was lost", static_cast<int>(-got));
            if (p.listens) bytes_ += static_cast<std::uint64_t>(got);
        }
        return !ready.empty();
    }

    long read(peer& p) {
        std::array<char, 65536> space;  // NOLINT(cppcoreguidelines-pro-type-member-init)
        long sum = 0;
        ssize_t got = 0;
        while ((got = ::recv(p.fd.get(), space.data(), space.size(), MSG_DONTWAIT)) > 0) {
            sum += got;
            p.rest.append(space.data(), static_cast<std::size_t>(got));
            record_marks(p, load_clock::now());
        }
        if (sum > 0) return sum;
        return got == 0 ? 0 : -errno;
    }

    void record_marks(peer& p, time_point now) {
        std::size_t at = 0;
        std::size_t next = 0;
        while ((next = p.rest.find(mark, at)) != std::string::npos &&
               next + mark.size() + stamp_digits <= p.rest.size()) {
            at = next + mark.size() + stamp_digits;
            record_latency(std::string_view{p.rest}.substr(next + mark.size(), stamp_digits), now);
        }
        p.rest.erase(0, next == std::string::npos ? p.rest.size() : next);
    }

    void record_latency(std::string_view number, time_point now) {
        time_point::rep due = 0;
        const auto* last = number.data() + number.size();
        const auto [end, status] = std::from_chars(number.data(), last, due, 16);
        // The address in a message's prefix may contain the mark, too.
        if (status != std::errc{} || end != last || due < record_from_) return;
        const auto took = std::max<time_point::rep>(0, now.time_since_epoch().count() - due);
        latencies_.add(static_cast<std::uint64_t>(took));
        ++timed_;
    }

    const chat_options& options_;
    dialer dial_;
    readiness ready_;
    std::vector<peer> peers_;
    std::string plain_;
    std::size_t next_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t bytes_ = 0;
    double bytes_per_delivery_ = 1;
    time_point::rep record_from_ = 0;
    std::uint64_t timed_ = 0;
    histogram latencies_;
};

double run_until(chat_clients& all, time_point end) {
    double idle = 0;
    auto before = load_clock::now();
    while (before < end) {
        const bool busy = all.turn();
        const auto after = load_clock::now();
        if (!busy) idle += in_seconds(std::min<load_clock::duration>(after - before, longest_look));
        before = after;
    }
    return idle;
}

outcome run_full(chat_clients& all, const chat_options& o) {
    outcome seen;
    run_until(all, load_clock::now() + seconds_of(o.warmup));
    const window counted{o.server};
    const double before = all.delivered();
    seen.idle = run_until(all, counted.begun() + seconds_of(o.measured));
    counted.close(seen);
    seen.amount = all.delivered() - before;
    return seen;
}

outcome run_paced(chat_clients& all, const chat_options& o) {
    outcome seen;
    const auto start = load_clock::now();
    const auto first = start + seconds_of(o.warmup);
    const auto end = first + seconds_of(o.measured);
    pacing messages{start, o.rate};
    all.record_from(first);
    std::optional<window> counted;
    double before = 0;
    std::uint64_t due = 0;
    // After a run-queue wait at the end, the load still sends all due messages.
    for (auto now = start; now < end || messages.next() < end; now = load_clock::now()) {
        if (!counted && now >= first) {
            before = all.delivered();
            counted.emplace(o.server);
        }
        while (messages.is_due(now) && messages.next() < end) {
            const auto when = messages.take();
            if (when >= first) ++due;
            all.send_due(when);
        }
        all.receive_timed();
    }
    if (counted) counted->close(seen);
    seen.amount = all.delivered() - before;
    all.drain_timed();
    const auto expected = due * o.members;
    seen.errors = expected > all.timed() ? expected - all.timed() : 0;
    seen.latencies = all.latencies();
    return seen;
}

}  // namespace

std::expected<outcome, load_failure> chat(const chat_options& o) {
    try {
        chat_clients all{o};
        return o.rate > 0 ? run_paced(all, o) : run_full(all, o);
    } catch (const load_error& e) {
        return std::unexpected{e.why()};
    }
}

}  // namespace sluice::lab
