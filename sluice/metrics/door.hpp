// The door of --metrics: /metrics, /healthz and /readyz over HTTP/1.1.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "sluice/auth/authenticator.hpp"
#include "sluice/base/owned_counter.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/http/request.hpp"
#include "sluice/http/visitor_origin.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/metrics/exposition.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/tls/handshake.hpp"

namespace sluice::metrics {

/// How far a server has come.
enum class readiness : std::uint8_t {
    starting,
    ready,     ///< all its doors listen
    draining,  ///< it takes no more clients
};

/// The right of accounts that may read metrics.
inline constexpr std::string_view right = "metrics";

struct door_options {
    /// All that the server counts now. On the thread of the door's engine; throws std::bad_alloc
    /// alone.
    std::function<collection()> collect = {};
    /// Why the server does not live any more, a sentence without its full stop; empty if it does.
    std::function<std::string()> why_stuck = {};
    tls::door over = {};                 ///< with a context: it speaks TLS
    auth::authenticator* who = nullptr;  ///< if given, /metrics asks; outlives the door
    /// If given, requests for hosts that it does not know are refused; outlives the door.
    const http::visitor_origin* origins = nullptr;
    std::size_t most = 32;                              ///< connections at a time; more are reset
    io::duration head_time = std::chrono::seconds{5};   ///< for a head, and for the first to begin
    io::duration idle_time = std::chrono::seconds{75};  ///< between two requests
    io::duration send_time = std::chrono::seconds{10};  ///< for an answer to be taken
};

/// Counters of a door. The thread of its engine changes them; any reads them.
struct door_counters {
    owned_counter connections;  ///< now
    owned_counter refused;      ///< reset: too many
    owned_counter requests;
    owned_counter bad_requests;
    owned_counter slow;     ///< heads and answers beyond their times
    owned_counter unknown;  ///< without the right, or with a wrong password or token
    owned_counter scrapes;  ///< answers with metrics
};

/// Serves on one engine, which must not block, at the side of a server under any model: its
/// connections are not counted among the server's clients, and take no place of theirs.
class door {
 public:
    explicit door(door_options o) : options_{std::move(o)} {}
    door(const door&) = delete;
    door& operator=(const door&) = delete;
    ~door() = default;

    /// Accepts from the listening socket and serves, until it is cancelled or cannot accept any
    /// more. Once.
    [[nodiscard]] coro::task<void> serve(io::engine& engine, unique_fd listening);

    /// Another process accepts at the same socket from now on, and this one no more. Who is
    /// connected hears with its next answer, which is the last, that the connection closes. The
    /// thread of the engine; any number of times.
    void stop_accepting() noexcept;

    /// Any thread.
    void set(readiness now) noexcept { readiness_ = now; }
    [[nodiscard]] readiness now() const noexcept { return readiness_; }
    [[nodiscard]] const door_counters& counted() const noexcept { return counters_; }
    [[nodiscard]] const door_options& options() const noexcept { return options_; }

 private:
    struct place;
    struct answer;
    struct incoming;

    [[nodiscard]] coro::task<void> serve_client(io::engine& engine, unique_fd socket, place held);
    [[nodiscard]] coro::task<result<void>> read_head(net::connection& peer, incoming& in);
    [[nodiscard]] coro::task<answer> answer_to(net::connection& peer, const incoming& in);
    [[nodiscard]] coro::task<auth::login> login_of(net::connection& peer, std::string said);
    [[nodiscard]] answer answer_for(std::string_view path, const http::http_request& request) const;

    door_options options_;
    door_counters counters_;
    std::atomic<readiness> readiness_ = readiness::starting;
    bool accepts_ = true;                 // of the engine's thread, as the next
    coro::context* accepting_ = nullptr;  // of a serve() that accepts
};

}  // namespace sluice::metrics
