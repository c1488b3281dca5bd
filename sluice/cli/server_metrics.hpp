// --metrics of a server: the door that shows what it counts, and where that runs.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sluice/auth/authenticator.hpp"
#include "sluice/base/result.hpp"
#include "sluice/cli/serve_options.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/http/visitor_origin.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/inner_engine.hpp"
#include "sluice/io/mailbox.hpp"
#include "sluice/io/shard.hpp"
#include "sluice/metrics/collection.hpp"
#include "sluice/metrics/door.hpp"
#include "sluice/model/model.hpp"
#include "sluice/net/address.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/tls/server_context.hpp"

namespace sluice::cli {

/// The door of --metrics. It runs on a thread of its own, which answers however busy the server is;
/// under the fork model, whose process may have no second thread, within the waits of the server's.
/// Made, started and destroyed on the server's thread.
class server_metrics {
 public:
    /// What the server gives. All of it outlives the door; the functions are called on its thread.
    struct source {
        const serve_options& common;
        model::kind model;
        io::engine_kind engine;  ///< of the shards
        io::engine& outer;       ///< the server's, a blocking engine
        tls::server_context* over = nullptr;
        auth::authenticator* who = nullptr;
        std::vector<std::string> doors;  ///< names of the endpoints, for labels
        std::function<void(metrics::collection&)> count = {};  ///< of the services
    };

    /// Listens; serves only from start() on. The error is a sentence without its full stop.
    [[nodiscard]] static std::expected<std::unique_ptr<server_metrics>, std::string> open(source s);
    /// The socket that listens, for a successor of the server; before start().
    [[nodiscard]] int socket() const noexcept { return listener_.get(); }
    server_metrics(const server_metrics&) = delete;
    server_metrics& operator=(const server_metrics&) = delete;
    /// Stops.
    ~server_metrics();

    /// Begins to serve, about `server`, which outlives it and whose sockets listen; null for one
    /// without a model. Errors of io::shard::start() or of io::inner_engine::create().
    [[nodiscard]] result<void> start(const model::server* server);
    void set(metrics::readiness now) noexcept { door_.set(now); }
    /// All doors listen: says so, and where it shows the metrics.
    void announce();
    /// A successor has the socket, and its metrics are those that count: accepts no more
    /// (metrics::door::stop_accepting()). After start().
    void hand_over() noexcept;

 private:
    struct hand_over_message : io::message {
        explicit hand_over_message(metrics::door& d) noexcept;
        metrics::door& door;
    };

    server_metrics(source s, unique_fd listener);

    [[nodiscard]] metrics::collection collect() const;
    [[nodiscard]] std::string why_stuck() const;
    [[nodiscard]] std::vector<model::shard_counts> shards() const;

    source source_;
    unique_fd listener_;
    net::address where_;
    std::int64_t started_ns_;
    http::visitor_origin origins_;
    metrics::door door_;
    const model::server* server_ = nullptr;
    hand_over_message hand_over_;  // outlives the thread, which may have it still
    bool is_handed_over_ = false;
    std::unique_ptr<io::shard> thread_;
    // Under the fork model, instead of it.
    std::unique_ptr<io::inner_engine> inner_;
    std::optional<coro::context> root_;
    std::optional<coro::scope> running_;
};

/// Why --metrics may not be let beyond this machine: a sentence without its full stop.
[[nodiscard]] std::optional<std::string> why_no_metrics(const serve_options& common);

/// Counters that every server has.
void collect_clients(metrics::collection& to, const model::server& server,
                     const std::vector<std::string>& doors);
void collect_handshakes(metrics::collection& to, const tls::counters& c);
void collect_logins(metrics::collection& to, const auth::login_counters& c);

}  // namespace sluice::cli
