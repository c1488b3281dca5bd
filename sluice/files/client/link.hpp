// The way to one server: connects, and asks over HTTP on a connection that is kept.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/coro/task.hpp"
#include "sluice/files/client/trouble.hpp"
#include "sluice/http/response.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/offload.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/net/address.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/transfer/to_file.hpp"
#include "sluice/transfer/to_socket.hpp"

namespace sluice::files {

/// Whom a client talks to, and how patiently.
struct client_options {
    std::vector<net::address> where = {};  ///< addresses of one host, tried in order
    std::string authority = {};            ///< HOST:PORT, as whoever runs us wrote it
    /// For a connection and for an answer; a transfer may stand still for as long.
    io::duration timeout = std::chrono::seconds{60};
    /// Attempts after the first, one after another, none of which got anything further.
    unsigned retries = 8;
    /// A server that never answered is tried again, too.
    bool insist = false;
    /// Hears of each attempt that failed and will be followed by another after `pause`.
    std::function<void(const trouble& why, io::duration pause)> on_retry = {};
    transfer::to_socket sends = transfer::to_socket::automatic;
    transfer::to_file receives = transfer::to_file::automatic;
};

/// Thread of its engine; one task at a time.
class link {
 public:
    /// `o` and `readers`, who read files for their digests, outlive it.
    link(io::engine& home, io::offload_pool& readers, const client_options& o) noexcept
        : home_{home}, readers_{readers}, options_{o} {}
    link(const link&) = delete;
    link& operator=(const link&) = delete;
    ~link() = default;

    /// Connects, unless it is connected.
    [[nodiscard]] coro::task<attempt<void>> open();
    /// The next request gets a new connection.
    void drop() noexcept {
        peer_.reset();
        fresh_ = true;
    }
    /// Only while it is open.
    [[nodiscard]] net::connection& peer() noexcept { return *peer_; }
    [[nodiscard]] io::engine& home() const noexcept { return home_; }
    [[nodiscard]] io::offload_pool& readers() const noexcept { return readers_; }
    [[nodiscard]] const client_options& options() const noexcept { return options_; }
    /// A connection has been made at least once.
    [[nodiscard]] bool reached() const noexcept { return reached_; }
    /// The server has not been silent since the last request on this connection, or this is the
    /// first. Otherwise it may have given the connection up meanwhile, which means nothing.
    [[nodiscard]] bool fresh() const noexcept { return fresh_; }

    /// Sends a head, or a piece of a body.
    [[nodiscard]] coro::task<attempt<void>> say(std::string_view what);
    /// Reads up to the end of an answer's head. Interim answers (1xx) are passed over, but for 100
    /// with `or_continue`. When nothing at all came within `limit`, that is a trouble that
    /// may_pass, with `silent` set.
    [[nodiscard]] coro::task<attempt<http::http_response_reader>> answer(io::duration limit,
                                                                         bool or_continue = false,
                                                                         bool* silent = nullptr);
    /// The same into `into`, which keeps what has come of an answer when this is cancelled: called
    /// again, it goes on there. `until` is a deadline, `never` if there is none.
    [[nodiscard]] coro::task<attempt<void>> hear(http::http_response_reader& into,
                                                 io::time_point until, bool or_continue = false,
                                                 bool* silent = nullptr);
    /// Reads the body to its end, as far as `most` bytes, and keeps the connection if it can be
    /// used again; otherwise drops it.
    [[nodiscard]] coro::task<attempt<std::string>> body_of(http::http_response_reader& answer,
                                                           std::size_t most);
    /// Sends a body with `sending` and listens meanwhile: a final answer that is no success (RFC
    /// 9110, section 9.3: 300 and above) cancels `sending`. What has come of an answer is in
    /// `into`; its head may be complete, or not. On the blocking engine nobody listens.
    [[nodiscard]] coro::task<result<void>> send_and_hear(coro::task<result<void>> sending,
                                                         http::http_response_reader& into);
    /// The answer is over: keeps the connection, or drops it.
    void settle(const http::http_response_reader& answer) noexcept;

 private:
    [[nodiscard]] std::string server() const;

    io::engine& home_;
    io::offload_pool& readers_;
    const client_options& options_;
    std::unique_ptr<net::connection> peer_;
    bool reached_ = false;
    bool fresh_ = true;
};

/// A head with a status that ends the request: neither 1xx, nor still on its way.
[[nodiscard]] bool is_final(const http::http_response_reader& answer) noexcept;

/// "413 Payload Too Large: a file has at most 1 MiB here", from an answer that refuses; its body is
/// read for that.
[[nodiscard]] coro::task<std::string> why_refused(link& way, http::http_response_reader& answer);

/// Whether a server that answers so may answer better a little later.
[[nodiscard]] bool may_pass(unsigned status) noexcept;

/// How long to wait before which attempt, and when to give up.
class patience {
 public:
    explicit patience(link& way) noexcept : way_{way} {}

    /// Waits for the next attempt, after `why`. False if there is to be none: because it would be
    /// of no use, there were enough, or this was cancelled. `ahead` is how many bytes are across
    /// and need not go again: whoever gets ahead has all attempts before him again.
    [[nodiscard]] coro::task<bool> again(const trouble& why, std::uint64_t ahead);

 private:
    link& way_;
    unsigned failed_ = 0;
    std::uint64_t ahead_ = 0;
    bool spared_ = false;  // a kept connection has been found given up since anything got ahead
};

}  // namespace sluice::files
