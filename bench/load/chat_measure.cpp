// A chat's members on one thread: some speak, all listen, and every delivery is counted.
//
// Without a rate, what is delivered is discarded inside the kernel (MSG_TRUNC, tcp(7)) and counted
// by its bytes, so that the load costs less than any server. Senders keep a window of messages that
// are not yet delivered, the same for every server. With a rate, each message carries the time at
// which it was due, and members read it, so that a server that falls behind cannot hide it.
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <string>
#include <vector>

#include "chat.hpp"
#include "chat_protocol.hpp"
#include "common.hpp"

namespace load {
namespace {

constexpr std::string_view mark = "@";
constexpr std::size_t digits = 16;

struct spent {
    double cpu = 0;
    double waited = 0;
};

spent spent_by(pid_t process) {
    return {cpu_seconds(process), waited_seconds(process)};
}

double at_percent(std::vector<std::uint32_t>& sorted, double percent) {
    if (sorted.empty()) return 0;
    const auto place = static_cast<std::size_t>(percent / 100 * static_cast<double>(sorted.size()));
    return sorted[std::min(place, sorted.size() - 1)] * 1e-3;
}

class chat_room {
 public:
    explicit chat_room(const chat_options& o) : options_{o}, protocol_{o.server} {
        epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
        if (!epoll_) fail_with_errno("epoll_create1");
        for (std::size_t i = 0; i < o.senders; ++i) join(peer_kind::sender, i);
        for (std::size_t i = 0; i < o.members; ++i) join(peer_kind::member, i);
        for (std::size_t i = 0; i < o.stuck; ++i) join(peer_kind::stuck, o.members + i);
        for (std::size_t i = 0; i < o.trickling; ++i) {
            join(peer_kind::trickling, o.members + o.stuck + i);
        }
        settle();
    }

    /// How many bytes one message is when it is delivered: each sender says one.
    void calibrate() {
        const std::uint64_t before = delivered_bytes_;
        for (peer& p : peers_) {
            if (p.kind == peer_kind::sender) say(p, text_for(clock_type::now()), 1);
        }
        settle();
        const auto messages = static_cast<double>(options_.senders * options_.members);
        bytes_a_delivery_ = static_cast<double>(delivered_bytes_ - before) / messages;
        if (bytes_a_delivery_ < static_cast<double>(options_.size)) {
            fail("a message did not reach every member: " + std::to_string(bytes_a_delivery_) +
                 " bytes a member of a message of " + std::to_string(options_.size));
        }
        sent_ = 0;
        delivered_bytes_ = 0;
    }

    /// Fills the window again and takes in what came. True if anything did.
    bool turn_at_full_speed() {
        const auto outstanding = static_cast<double>(sent_) - delivered_messages();
        const double room = static_cast<double>(options_.window) - outstanding;
        if (room >= static_cast<double>(options_.senders)) {
            const auto each = static_cast<std::size_t>(room) / options_.senders;
            for (std::size_t i = 0; i < options_.senders; ++i) say(peers_[i], plain_text(), each);
        }
        return take_in(0, false);
    }

    /// Sends what is due and takes in what came.
    void turn_at_rate(clock_type::time_point start, bool timed) {
        const auto now = clock_type::now();
        const double due = seconds{now - start}.count() * options_.rate;
        while (static_cast<double>(sent_at_rate_) < due) {
            const auto when = start + std::chrono::duration_cast<clock_type::duration>(seconds{
                                          static_cast<double>(sent_at_rate_) / options_.rate});
            say(peers_[sent_at_rate_++ % options_.senders], text_for(when), 1);
        }
        take_in(0, timed);
        trickle(now);
    }

    void run_at_full_speed(double length) {
        auto now = clock_type::now();
        const auto end = now + std::chrono::duration_cast<clock_type::duration>(seconds{length});
        while (now < end) {
            const bool busy = turn_at_full_speed();
            const auto after = clock_type::now();
            if (!busy) idle_ += seconds{after - now}.count();
            trickle(after);
            now = after;
        }
    }

    /// Until what was sent is delivered, or nothing comes any more.
    void finish() {
        while (take_in(300, true)) {
        }
    }

    [[nodiscard]] double delivered() const {
        return static_cast<double>(delivered_bytes_) / bytes_a_delivery_;
    }
    [[nodiscard]] double bytes_a_delivery() const { return bytes_a_delivery_; }
    [[nodiscard]] std::uint64_t sent_at_rate() const { return sent_at_rate_; }
    [[nodiscard]] double idle() const { return idle_; }
    [[nodiscard]] std::size_t size() const { return peers_.size(); }
    /// In microseconds, of each timed delivery.
    std::vector<std::uint32_t> latencies;

    /// Sends one message to all members; the time until each has it.
    void say_once() {
        latencies.clear();
        say(peers_.front(), text_for(clock_type::now()), 1);
        while (latencies.size() < options_.members && take_in(5000, true)) {
        }
        std::sort(latencies.begin(), latencies.end());
    }

 private:
    enum class peer_kind : std::uint8_t { sender, member, stuck, trickling };
    struct peer {
        sluice::unique_fd fd;
        peer_kind kind = peer_kind::member;
        std::string unsent;
        std::string rest;  // of a line that is not whole
    };

    void join(peer_kind kind, std::size_t index) {
        const bool sends = kind == peer_kind::sender;
        peer p;
        p.fd = connect_to(options_.port, peers_.size());
        p.kind = kind;
        if (kind == peer_kind::stuck || kind == peer_kind::trickling) {
            const int least = 1;
            setsockopt(p.fd.get(), SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
        }
        for (std::size_t step = 0; step < 2; ++step) {
            const auto [say, answer] = protocol_.join(step, sends, index);
            if (::send(p.fd.get(), say.data(), say.size(), MSG_NOSIGNAL) < 0) {
                fail_with_errno("joining");
            }
            if (!answer.empty()) await(p, answer);
        }
        epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLET,
                          .data = {.u64 = static_cast<std::uint64_t>(peers_.size())}};
        const bool reads = sends || kind == peer_kind::member;
        if (reads && epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, p.fd.get(), &event) != 0) {
            fail_with_errno("epoll_ctl");
        }
        peers_.push_back(std::move(p));
    }

    static void await(const peer& p, const std::string& answer) {
        std::string said;
        std::array<char, 4096> room{};
        while (said.find(answer) == std::string::npos) {
            pollfd one{.fd = p.fd.get(), .events = POLLIN, .revents = 0};
            if (poll(&one, 1, 10'000) != 1) {
                fail("the server did not say '" + answer + "' within 10 s, but: " + said);
            }
            const ssize_t got = recv(p.fd.get(), room.data(), room.size(), 0);
            if (got <= 0) fail("the server closed a connection on joining: " + said);
            said.append(room.data(), static_cast<std::size_t>(got));
        }
    }

    void settle() {
        while (take_in(300, false)) {
        }
    }

    [[nodiscard]] double delivered_messages() const {
        return delivered() / static_cast<double>(options_.members);
    }

    const std::string& plain_text() {
        if (plain_.empty()) plain_.assign(options_.size, 'x');
        return plain_;
    }
    std::string text_for(clock_type::time_point when) const {
        std::string text{mark};
        std::array<char, digits> number{};
        const auto [end, status] = std::to_chars(number.data(), number.data() + digits,
                                                 when.time_since_epoch().count(), 16);
        text.append(digits - static_cast<std::size_t>(end - number.data()), '0');
        text.append(number.data(), end);
        text.resize(options_.size, 'x');
        return text;
    }

    void say(peer& p, const std::string& text, std::size_t times) {
        const std::string one = protocol_.message(text);
        for (std::size_t i = 0; i < times; ++i) p.unsent += one;
        sent_ += times;
        push(p);
    }
    static void push(peer& p) {
        if (p.unsent.empty()) return;
        const ssize_t n =
            send(p.fd.get(), p.unsent.data(), p.unsent.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) fail_with_errno("sending to the server");
        if (n > 0) p.unsent.erase(0, static_cast<std::size_t>(n));
    }

    bool take_in(int timeout_ms, bool timed) {
        const int count =
            epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), timeout_ms);
        if (count < 0 && errno != EINTR) fail_with_errno("epoll_wait");
        for (int i = 0; i < count; ++i) {
            const epoll_event& event = events_[static_cast<std::size_t>(i)];
            peer& p = peers_[event.data.u64];
            push(p);
            if ((event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) continue;
            if (timed && p.kind == peer_kind::member) {
                read(p);
            } else {
                discard(p);
            }
        }
        return count > 0;
    }

    void discard(peer& p) {
        const ssize_t got = recv(p.fd.get(), nullptr, 1 << 30, MSG_TRUNC | MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN) return;
        if (got < 0) fail_with_errno("receiving from the server");
        if (got == 0) fail("the server closed a connection that was in use");
        if (p.kind == peer_kind::member) delivered_bytes_ += static_cast<std::uint64_t>(got);
    }

    void read(peer& p) {
        std::array<char, 65536> room;  // NOLINT(cppcoreguidelines-pro-type-member-init)
        ssize_t got = 0;
        while ((got = recv(p.fd.get(), room.data(), room.size(), MSG_DONTWAIT)) > 0) {
            const auto now = clock_type::now();
            delivered_bytes_ += static_cast<std::uint64_t>(got);
            p.rest.append(room.data(), static_cast<std::size_t>(got));
            std::size_t at = 0;
            std::size_t next = 0;
            while ((next = p.rest.find(mark, at)) != std::string::npos &&
                   next + mark.size() + digits <= p.rest.size()) {
                at = next + mark.size() + digits;
                record(std::string_view{p.rest}.substr(next + mark.size(), digits), now);
            }
            p.rest.erase(0, next == std::string::npos ? p.rest.size() : next);
        }
        if (got == 0) fail("the server closed a connection that was in use");
        if (errno != EAGAIN) fail_with_errno("receiving from the server");
    }

    void record(std::string_view number, clock_type::time_point now) {
        clock_type::rep sent = 0;
        const auto [end, status] =
            std::from_chars(number.data(), number.data() + number.size(), sent, 16);
        // An address in a prefix may hold the mark, too.
        if (status != std::errc{} || end != number.data() + number.size()) return;
        const auto took = now.time_since_epoch().count() - sent;
        latencies.push_back(static_cast<std::uint32_t>(std::max<clock_type::rep>(0, took / 1000)));
    }

    // A byte a second each.
    void trickle(clock_type::time_point now) {
        if (options_.trickling == 0 || now - trickled_ < std::chrono::seconds{1}) return;
        trickled_ = now;
        for (peer& p : peers_) {
            char byte = 0;
            if (p.kind != peer_kind::trickling) continue;
            static_cast<void>(recv(p.fd.get(), &byte, 1, MSG_DONTWAIT));
        }
    }

    const chat_options& options_;
    chat_protocol protocol_;
    sluice::unique_fd epoll_;
    std::vector<peer> peers_;
    std::array<epoll_event, 512> events_{};
    std::string plain_;
    std::uint64_t sent_ = 0;
    std::uint64_t sent_at_rate_ = 0;
    std::uint64_t delivered_bytes_ = 0;
    double bytes_a_delivery_ = 1;
    double idle_ = 0;
    clock_type::time_point trickled_;
};

void run_at_rate(chat_room& room, double length, bool timed, clock_type::time_point start) {
    const auto end =
        clock_type::now() + std::chrono::duration_cast<clock_type::duration>(seconds{length});
    while (clock_type::now() < end) room.turn_at_rate(start, timed);
}

}  // namespace

void measure_chat(const chat_options& o) {
    chat_room room{o};
    room.calibrate();
    const auto start = clock_type::now();
    if (o.rate > 0) {
        run_at_rate(room, o.warmup, true, start);
        room.latencies.clear();
    } else {
        room.run_at_full_speed(o.warmup);
    }
    const double delivered_before = room.delivered();
    const double idle_before = room.idle();
    const std::uint64_t sent_before = room.sent_at_rate();
    const spent server_before = o.process > 0 ? spent_by(o.process) : spent{};
    const spent own_before = spent_by(0);
    const auto from = clock_type::now();
    if (o.rate > 0) {
        run_at_rate(room, o.measured, true, start);
    } else {
        room.run_at_full_speed(o.measured);
    }
    const double elapsed = seconds{clock_type::now() - from}.count();
    const spent server = o.process > 0 ? spent_by(o.process) : spent{};
    const spent own = spent_by(0);
    const double delivered = room.delivered() - delivered_before;
    if (o.rate > 0) room.finish();
    std::sort(room.latencies.begin(), room.latencies.end());
    std::printf(
        "{\"seconds\": %.6f, \"deliveries\": %.0f, \"deliveries_per_second\": %.1f, "
        "\"bytes_a_delivery\": %.2f, \"server_cpu_seconds\": %.6f, "
        "\"server_waited_seconds\": %.6f, \"load_cpu_seconds\": %.6f, "
        "\"load_waited_seconds\": %.6f, \"load_idle_seconds\": %.6f, \"sent_at_rate\": %llu, "
        "\"timed\": %zu, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}\n",
        elapsed, delivered, delivered / elapsed, room.bytes_a_delivery(),
        server.cpu - server_before.cpu, server.waited - server_before.waited,
        own.cpu - own_before.cpu, own.waited - own_before.waited, room.idle() - idle_before,
        static_cast<unsigned long long>(room.sent_at_rate() - sent_before), room.latencies.size(),
        at_percent(room.latencies, 50), at_percent(room.latencies, 99),
        at_percent(room.latencies, 100));
}

void hold_chat(const chat_options& o) {
    chat_room room{o};
    std::printf("{\"joined\": %zu}\n", room.size());
    std::fflush(stdout);
    std::array<char, 64> line{};
    while (std::fgets(line.data(), line.size(), stdin) != nullptr) {
        room.say_once();
        std::printf("{\"delivered\": %zu, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}\n",
                    room.latencies.size(), at_percent(room.latencies, 50),
                    at_percent(room.latencies, 99), at_percent(room.latencies, 100));
        std::fflush(stdout);
    }
}

}  // namespace load
