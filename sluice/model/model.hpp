// Base class of all models: options, counters, accepting, and stopping in stages.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "sluice/base/owned_counter.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/model/address_limit.hpp"
#include "sluice/model/announced.hpp"
#include "sluice/model/event_log.hpp"
#include "sluice/model/memory_trimmer.hpp"
#include "sluice/model/service.hpp"
#include "sluice/model/session.hpp"
#include "sluice/net/network.hpp"
#include "sluice/os/fd.hpp"

namespace sluice::model {

/// How connections are spread over threads and processes.
enum class kind : std::uint8_t {
    sync,    ///< one client after another
    fork,    ///< a process per client
    thread,  ///< a thread per client
    pool,    ///< a fixed number of threads, each request to the next free one
    event,   ///< an engine and a listener per core
};
/// The name of `k` on the command line.
[[nodiscard]] std::string_view to_text(kind k) noexcept;

/// Options of a server, under whichever model.
struct server_options {
    /// The event model's; `blocking`, on which it cannot run, means automatic_engine().
    io::engine_kind engine = io::engine_kind::blocking;
    io::engine_options shards = {};  ///< of the event model's engines
    unsigned workers = 0;            ///< threads or shards; 0: workers_of() decides
    /// Concurrent connections per endpoint. At this many, the next wait in its backlog; other
    /// endpoints still accept.
    std::uint32_t max_clients = 10'000;
    std::uint32_t max_per_address = 0;   ///< per endpoint; 0: address_limit's default
    std::uint32_t rate_per_address = 0;  ///< new ones per second; as above
    /// Connections from there may begin with a PROXY header (wire::proxy_header). A client that it
    /// names counts as one from its own address, and a proxy is under no limit per address.
    std::vector<net::network> trusted_proxies = {};
    /// How long it may be on its way; a connection of which nothing has come is served then.
    io::duration header_time = std::chrono::seconds{10};
    io::duration grace = std::chrono::seconds{5};  ///< how long a stop may drain
    std::size_t stack = std::size_t{256} * 1024;   ///< bytes of stack per thread that serves
    log_sink log_to = {};                          ///< failures, a line per kind
    detail_sink details = {};                      ///< what becomes of each connection
    /// Called on the server's thread once all its sockets listen, before any thread or process is
    /// started and any client is accepted. An error of it ends run(). May be empty.
    std::function<result<void>()> listening = {};
    /// Called on the server's thread once it can serve. Must not throw; may be empty.
    std::function<void()> ready = {};
    /// Called on the server's thread at each stage of a stop. Must not throw; may be empty.
    std::function<void(stage)> on_stage = {};
    std::vector<int> keep = {};  ///< descriptors of the service, left open in children of fork
    /// The event model's, for few clients that stay long: a shard that has more of them than
    /// another hands over the next. Otherwise the kernel spreads them by a hash of their addresses,
    /// which costs nothing and may put six of eight on one shard.
    bool spread_evenly = false;
    bool publishes_loops = false;  ///< shards publish what their loops do (by_shard())
};

/// The number of threads or shards: `workers`, or for 0 one per usable core, within the CPU quota.
[[nodiscard]] unsigned workers_of(unsigned workers) noexcept;

/// Counters of a server. Any thread.
struct counters {
    std::atomic<std::uint64_t> accepted = 0;  ///< clients
    std::atomic<std::uint64_t> ended = 0;     ///< clients that are gone
    std::atomic<std::uint64_t> most = 0;      ///< most clients at a time
    std::atomic<std::uint64_t> shed = 0;      ///< reset at once: no descriptor was left
    std::atomic<std::uint64_t> refused =
        0;  ///< reset at once: too many, or too often, from their address
    std::atomic<std::uint64_t> announced = 0;  ///< clients that a trusted proxy has named
    std::atomic<std::uint64_t> bad_headers =
        0;                                   ///< reset: the header of a trusted proxy is no good
    std::atomic<std::uint64_t> crashed = 0;  ///< children that ended by a signal or an error
    std::atomic<std::uint64_t> retries = 0;  ///< pauses for lack of a thread, process or memory
};

/// Clients of one endpoint. Changed by one thread, read by any.
struct client_counts {
    owned_counter accepted;  ///< and served
    owned_counter ended;     ///< of them
};

/// What any thread may read of a shard, or of a model without shards, as long as the server lives.
struct shard_counts {
    std::span<const client_counts> clients;   ///< by endpoint
    const io::loop_counters* loop = nullptr;  ///< with server_options::publishes_loops
};

/// Serves endpoints under one model. Made, run and stopped on one thread, that of `engine`, a
/// blocking engine on which the thread waits.
class server {
 public:
    server(const server&) = delete;
    server& operator=(const server&) = delete;
    virtual ~server();

    /// Serves until stop(), and returns when every client is gone. Once. The errno that made
    /// serving impossible, or the error that ended accepting.
    [[nodiscard]] result<void> run();

    /// The server's thread, also from within its waits. The first call ends accepting, and present
    /// clients may finish what they began, for `grace`. A second call, or the end of the grace,
    /// cancels everything.
    void stop() noexcept;
    /// The same where another process accepts at the same sockets from now on: sessions of services
    /// that keep state, which would end at once, may go on for most of the grace.
    void stop_for_successor() noexcept;

    /// The server's thread, while it serves: whether all other threads that wait for clients have
    /// had a turn since the last call. A watchdog asks.
    [[nodiscard]] virtual bool has_turned() noexcept { return true; }

    /// The server's thread: other limits from now on. Clients that have come stay.
    void set_limits(std::uint32_t max_clients, std::uint32_t max_per_address,
                    std::uint32_t rate_per_address) noexcept;

    /// What it has counted since it was made. Any thread may read it.
    [[nodiscard]] const counters& counted() const noexcept { return counters_; }
    /// Clients that each shard has served; empty without shards.
    [[nodiscard]] virtual std::vector<std::uint64_t> spread() const { return {}; }
    /// The counters of each shard, or of all without shards. Any thread, from `listening` on.
    [[nodiscard]] virtual std::vector<shard_counts> by_shard() const {
        return {{.clients = client_counts_}};
    }
    /// Whether shards serve, each on an engine of its own.
    [[nodiscard]] virtual bool has_shards() const noexcept { return false; }

 protected:
    server(io::engine& engine, std::vector<endpoint> endpoints, server_options o);

    /// Opens more sockets that listen, before serve().
    [[nodiscard]] virtual result<void> open_listeners() { return {}; }
    /// Calls ready() once it can serve; serves until draining, and waits for the clients' end.
    [[nodiscard]] virtual coro::task<result<void>> serve() = 0;
    /// Passes the stage of a stop on to other threads and processes; the server's own has
    /// drain_context().
    virtual void pass_on(stage /*now*/) noexcept {}
    /// options() has other limits.
    virtual void limits_changed() noexcept {}

    void ready() const {
        if (options_.ready) options_.ready();
    }
    /// A connection, its service, which outlives it, and the number of its endpoint.
    struct arrival {
        unique_fd socket;
        const service* serve = nullptr;
        std::size_t endpoint = 0;
        address_limit::permit permit = {};
        announced_address announced = {};
    };
    /// `co_await next_client()`: the next connection, at any endpoint with fewer clients than the
    /// limit. fault::cancelled when draining has begun.
    [[nodiscard]] coro::task<result<arrival>> next_client();
    /// Gives each next client to `receive`, one after the other; what that fails for is reported.
    /// Fails with what ended accepting: fault::cancelled when draining has begun.
    [[nodiscard]] coro::task<result<void>> receive_clients(
        std::function<coro::task<result<void>>(arrival)> receive);
    /// The server's thread: a client of that endpoint has come, or is gone.
    void client_came(std::size_t endpoint) noexcept;
    void client_left(std::size_t endpoint) noexcept;
    /// Present clients.
    [[nodiscard]] std::size_t clients() const noexcept { return clients_; }
    /// Waits, on the server's engine, until every client is gone.
    void wait_for_clients() noexcept;
    /// Waits a retry_interval; false if draining has begun meanwhile.
    [[nodiscard]] coro::task<bool> pause();
    /// Before another try for a thread, a process or memory: long enough not to spin.
    static constexpr auto retry_interval = std::chrono::milliseconds{50};

    [[nodiscard]] io::engine& engine() const noexcept { return engine_; }
    [[nodiscard]] std::vector<endpoint>& endpoints() noexcept { return endpoints_; }
    /// Any thread: a permit for a connection of that endpoint, whose other end is `peer`. Counts
    /// and reports those that are refused.
    [[nodiscard]] std::optional<address_limit::permit> admit(
        std::size_t endpoint, int socket, const result<net::address>& peer) noexcept;
    /// Any thread: whether `peer` is a trusted proxy, which says first whose connection it is.
    [[nodiscard]] bool is_from_proxy(const result<net::address>& peer) const noexcept;
    /// The same as admit() for such a connection, once its announcement has come to `end`.
    [[nodiscard]] std::optional<address_limit::permit> admit_announced(
        std::size_t endpoint, int socket, announcement::step end, std::string_view why,
        const net::address* client) noexcept;
    [[nodiscard]] const server_options& options() const noexcept { return options_; }
    [[nodiscard]] stage now() const noexcept { return stage_; }
    /// Any thread: whether another process has taken over.
    [[nodiscard]] bool has_successor() const noexcept { return has_successor_; }
    [[nodiscard]] coro::context& drain_context() noexcept { return drain_context_; }
    [[nodiscard]] event_log& log() noexcept { return event_log_; }
    [[nodiscard]] counters& counting() noexcept { return counters_; }

 private:
    class acceptor;
    struct announcing;
    struct grace_timer : io::timer {
        explicit grace_timer(server& s) noexcept;
        server& owner;
    };
    void enter(stage next) noexcept;
    [[nodiscard]] address_limit::limits limits_per_address() const noexcept;
    coro::task<result<void>> receive_and_serve();
    void wait_for_header(unique_fd socket, std::size_t number) noexcept;
    /// A client whose header has come, or will not; none if more of it is to come, or the
    /// connection is of no use.
    [[nodiscard]] std::optional<arrival> receive_header(announcing& from, bool is_late) noexcept;
    void refuse(int socket, const net::address* announced) noexcept;
    /// True if accepting goes on after `why`, which is then counted and reported: no memory.
    [[nodiscard]] bool should_retry(error why) noexcept;
    [[nodiscard]] bool is_full(std::size_t endpoint) const noexcept;
    [[nodiscard]] bool all_full() const noexcept;

    io::engine& engine_;
    std::vector<endpoint> endpoints_;
    server_options options_;
    event_log event_log_;
    counters counters_;
    memory_trimmer trimmer_{engine_};
    stage stage_ = stage::serving;
    std::atomic<bool> has_successor_ = false;
    std::size_t clients_ = 0;
    std::vector<std::size_t> clients_at_;       // by endpoint; the server's thread
    std::vector<client_counts> client_counts_;  // the same, for other threads to read
    std::vector<std::unique_ptr<address_limit>> by_address_;
    bool changed_ = false;  // a client left, or the stage changed
    coro::context root_;
    coro::context drain_context_;
    grace_timer grace_;
    std::unique_ptr<acceptor> acceptor_;
};

/// Reports that there was no descriptor or memory for a client.
void report_shortage(event_log& log, error why) noexcept;
/// Tells as a detail of a connection that has come.
void report_coming(event_log& log, const session& client) noexcept;
/// Tells as a detail of a connection that is about to be closed.
void report_going(event_log& log, const session& client) noexcept;
/// The same of one that has no session yet.
void report_coming(event_log& log, const announced_address& announced, int socket) noexcept;
/// Reports that a connection could not be served to its end, and has it reset when it is closed.
void report_lost(event_log& log, session& client, error why) noexcept;

}  // namespace sluice::model
