// Client connection to one server: HTTP requests on a kept connection, timeouts and retries.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/auth/credentials.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/files/client/progress.hpp"
#include "sluice/files/client/transfer_error.hpp"
#include "sluice/http/response.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/offload.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/net/address.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/tls/client_context.hpp"
#include "sluice/transfer/to_file.hpp"
#include "sluice/transfer/to_socket.hpp"

namespace sluice::files {

/// Addresses, timeouts and retries of a client.
struct client_options {
    std::vector<net::address> where = {};         ///< addresses of one host, tried in order
    std::string authority = {};                   ///< HOST:PORT, as given by the user
    tls::client_context* over = nullptr;          ///< outlives the links; null: in the clear
    std::string_view protocol = "sluice";         ///< over TLS, in ALPN; static
    std::optional<auth::credentials> login = {};  ///< said to a raw door before all else
    std::string authorization = {};  ///< a field line of each request over HTTP, with its end
    /// For connecting, and for a response; a transfer may also stall for so long.
    io::duration timeout = std::chrono::seconds{60};
    /// Retries after the first attempt, counted as long as none of them makes progress.
    unsigned retries = 8;
    /// Also retries a server to which no connection was ever made.
    bool insist = false;
    /// What the user starts where no server listens; static.
    std::string_view server_command = "files serve";
    /// Called for each failed attempt that is retried after `pause`.
    std::function<void(const transfer_error& why, io::duration pause)> on_retry = {};
    transfer::to_socket sends = transfer::to_socket::automatic;
    transfer::to_file receives = transfer::to_file::automatic;

    /// For a server that has all bytes of an upload: it may sync and check gigabytes.
    [[nodiscard]] io::duration commit_timeout() const noexcept { return timeout * 10; }
};

/// Thread of its engine; one task at a time.
class link {
 public:
    /// `o` and `readers`, which read files for their digests, outlive it.
    link(io::engine& engine, io::offload_pool& readers, const client_options& o) noexcept
        : engine_{engine}, readers_{readers}, options_{o} {}
    link(const link&) = delete;
    link& operator=(const link&) = delete;
    ~link() = default;

    /// Connects, unless it is connected.
    [[nodiscard]] coro::task<attempt<void>> open();
    /// Closes the connection: the next request opens another.
    void drop() noexcept {
        peer_.reset();
        fresh_ = true;
    }
    /// Only while the connection is open.
    [[nodiscard]] net::connection& peer() noexcept { return *peer_; }
    [[nodiscard]] io::engine& engine() const noexcept { return engine_; }
    [[nodiscard]] io::offload_pool& readers() const noexcept { return readers_; }
    [[nodiscard]] const client_options& options() const noexcept { return options_; }
    /// A connection has been made at least once.
    [[nodiscard]] bool reached() const noexcept { return reached_; }
    /// The server has sent bytes since the last request on this connection, or this is the first
    /// request. Otherwise it may have closed an idle connection, which is no failure of the server.
    [[nodiscard]] bool fresh() const noexcept { return fresh_; }

    /// Sends a head, or a piece of a body.
    [[nodiscard]] coro::task<attempt<void>> say(std::string_view text);
    /// Reads a response up to the end of its head. Skips interim responses (1xx), but for 100 with
    /// `or_continue`. Where no byte arrives within `limit`, the error may_pass, and `silent` is
    /// set.
    [[nodiscard]] coro::task<attempt<http::http_response_reader>> answer(io::duration limit,
                                                                         bool or_continue = false,
                                                                         bool* silent = nullptr);
    /// The same into `into`, which keeps a part of a response when this is cancelled: another call
    /// continues it. `until` is a deadline, `never` if there is none.
    [[nodiscard]] coro::task<attempt<void>> receive_head(http::http_response_reader& into,
                                                         io::time_point until,
                                                         bool or_continue = false,
                                                         bool* silent = nullptr);
    /// Reads the body to its end, or until it exceeds `most` bytes. Keeps the connection if it can
    /// be used again, otherwise drops it.
    [[nodiscard]] coro::task<attempt<std::string>> body_of(http::http_response_reader& answer,
                                                           std::size_t most);
    /// Runs `sending`, which sends a body, and reads meanwhile: a final response that is no success
    /// (RFC 9110, section 9.3: 300 and above) cancels `sending`. `into` holds the response so far,
    /// perhaps without a complete head. The blocking engine reads nothing meanwhile.
    [[nodiscard]] coro::task<result<void>> send_and_hear(coro::task<result<void>> sending,
                                                         http::http_response_reader& into);
    /// Ends a response: keeps the connection, or drops it.
    void settle(const http::http_response_reader& answer) noexcept;

 private:
    [[nodiscard]] std::string server() const;

    io::engine& engine_;
    io::offload_pool& readers_;
    const client_options& options_;
    std::unique_ptr<net::connection> peer_;
    bool reached_ = false;
    bool fresh_ = true;
};

/// The head is complete, and its status is final: not 1xx.
[[nodiscard]] bool is_final(const http::http_response_reader& answer) noexcept;

/// "413 Payload Too Large: a file has at most 1 MiB here", from a response that refuses, whose body
/// is read for that.
[[nodiscard]] coro::task<std::string> why_refused(link& conn, http::http_response_reader& answer);

/// Whether what a peer of a raw stream said first is no stream of its own, but a line of a door
/// that asks who we are, turns us away, or speaks TLS alone.
[[nodiscard]] bool refuses_in_a_line(std::string_view first) noexcept;
/// That line in quotes, and what to do about it. Throws std::bad_alloc.
[[nodiscard]] std::string shown_refusal(std::string_view first);

/// Whether a request with this response status may succeed a little later.
[[nodiscard]] bool may_pass(unsigned status) noexcept;

/// Retry policy: pauses between the attempts, and when to give up.
class timeout {
 public:
    explicit timeout(link& conn) noexcept : link_{conn} {}

    /// Waits for the next attempt, after `why`. False where there is none: it would be of no use,
    /// the retries are used up, or this was cancelled. `ahead` is how many bytes need not be sent
    /// again: progress resets the count of retries.
    [[nodiscard]] coro::task<bool> again(const transfer_error& why, std::uint64_t ahead);

 private:
    link& link_;
    unsigned failed_ = 0;
    std::uint64_t ahead_ = 0;
    bool retried_stale_ = false;  // a stale connection was replaced since the last progress
};

/// Drops the connection, and opens another one with retries. `state` shows both.
[[nodiscard]] coro::task<attempt<void>> open_with_retries(link& conn, progress& state);

}  // namespace sluice::files
