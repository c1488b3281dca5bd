// Implements the bulk loads download() and upload() over epoll.
#include "sluice/lab/load/bytes.hpp"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "sluice/lab/load/parts.hpp"
#include "sluice/os/mapping.hpp"

namespace sluice::lab {
namespace {

/// Bytes per send(2). The buffer stays in the caches of the load's core, so that reading it costs
/// least.
constexpr std::size_t piece = std::size_t{256} << 10;

struct bytes_client {
    unique_fd fd;
    std::uint64_t moved = 0;
    bool sent = false;  // upload: all bytes are in the socket
    bool done = false;
};

class mover {
 public:
    explicit mover(const bytes_options& o) : options_{o}, clients_(o.clients), left_{o.clients} {
        dialer dial{o.where};
        for (std::size_t i = 0; i < clients_.size(); ++i) {
            clients_[i].fd = dial.dial();
            ready_.add(clients_[i].fd.get(), i);
        }
    }

    /// Runs `move` on ready clients until all are done.
    template <class Move>
    outcome run(Move move) {
        outcome seen;
        const window counted{options_.server};
        while (left_ > 0) {
            const bool checks = seen.seconds <= 0 && is_sent();
            const auto timeout = checks           ? load_clock::duration{check_interval}
                                 : options_.spins ? load_clock::duration::zero()
                                                  : forever;
            for (const epoll_event& event : ready_.wait(timeout)) {
                bytes_client& c = clients_[static_cast<std::size_t>(event.data.u64)];
                if (!c.done) move(c, event);
            }
            if (checks && is_acknowledged()) counted.close(seen);
        }
        if (seen.seconds > 0) {
            seen.whole_seconds = in_seconds(load_clock::now() - counted.begun());
        } else {
            counted.close(seen);
        }
        for (const bytes_client& c : clients_) {
            seen.amount += static_cast<double>(c.moved);
            if (c.moved != options_.size) ++seen.errors;
        }
        return seen;
    }
    void finish(bytes_client& c) noexcept {
        c.done = true;
        c.fd.reset();
        --left_;
    }

 private:
    static constexpr load_clock::duration forever{-1};
    static constexpr auto check_interval = std::chrono::microseconds{100};

    [[nodiscard]] bool is_sent() const {
        return std::ranges::all_of(clients_, &bytes_client::sent);
    }
    /// Whether the peer's kernel has acknowledged all sent bytes (tcp(7), SIOCOUTQ is 0).
    [[nodiscard]] bool is_acknowledged() const {
        return std::ranges::all_of(clients_, [](const bytes_client& c) {
            int left = 0;
            return !c.fd || ::ioctl(c.fd.get(), SIOCOUTQ, &left) != 0 || left == 0;
        });
    }

    const bytes_options& options_;
    readiness ready_;
    std::vector<bytes_client> clients_;
    std::size_t left_;
};

/// Gives up over an error of a connection that dial() began.
[[noreturn]] void lose(const bytes_options& o, const char* what, int code) {
    if (code == ECONNREFUSED) lose_server("cannot connect to " + o.where.to_string(), code);
    lose_server(what, code);
}

}  // namespace

std::expected<outcome, load_failure> download(const bytes_options& o) {
    try {
        mover all{o};
        return all.run([&all, &o](bytes_client& c, const epoll_event&) {
            long got = 0;
            while ((got = discard(c.fd.get())) > 0) c.moved += static_cast<std::uint64_t>(got);
            if (got == -EAGAIN) return;
            if (got < 0) lose(o, "a download was cut off", static_cast<int>(-got));
            all.finish(c);
        });
    } catch (const load_error& e) {
        return std::unexpected{e.why()};
    }
}

std::expected<outcome, load_failure> upload(const bytes_options& o) {
    try {
        auto memory = mapping::create(piece);
        if (!memory) give_up("no memory to send", memory.error().code());
        std::memset(memory->data(), 'u', memory->size());
        mover all{o};
        return all.run([&](bytes_client& c, const epoll_event& event) {
            while (c.moved < o.size) {
                const auto n = std::min<std::uint64_t>(piece, o.size - c.moved);
                const ssize_t sent =
                    ::send(c.fd.get(), memory->data(), n, MSG_DONTWAIT | MSG_NOSIGNAL);
                if (sent < 0 && errno == EAGAIN) return;
                if (sent < 0) lose(o, "an upload was cut off", errno);
                c.moved += static_cast<std::uint64_t>(sent);
                if (c.moved < o.size) continue;
                ::shutdown(c.fd.get(), SHUT_WR);
                c.sent = true;
            }
            if (!is_readable(event)) return;
            const long got = discard(c.fd.get());
            if (got == -EAGAIN || got > 0) return;
            if (got < 0) lose_server("an upload was refused at its end", static_cast<int>(-got));
            all.finish(c);
        });
    } catch (const load_error& e) {
        return std::unexpected{e.why()};
    }
}

}  // namespace sluice::lab
