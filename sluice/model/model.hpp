// What all models share: who a client is to a service, what a service is, and how serving ends.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/fd.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/model/address_limit.hpp"
#include "sluice/model/guest.hpp"
#include "sluice/model/memory_trimmer.hpp"
#include "sluice/model/troubles.hpp"

namespace sluice::model {

/// How connections are spread over threads and processes.
enum class kind : std::uint8_t {
    sync,    ///< one after another
    fork,    ///< a process each
    thread,  ///< a thread each
    pool,    ///< a fixed number of threads, each request to the next that is free
    event,   ///< one engine and one listener a core
};
[[nodiscard]] std::string_view to_text(kind k) noexcept;

/// What is done with a connection: a coroutine over a guest. Called once a client, from any thread
/// or process that serves one; the connection is closed when the coroutine has ended. It returns
/// when waiting gives fault::cancelled, and does not throw.
using service = std::function<coro::task<void>(guest&)>;

/// A socket that listens, and what is done with those who come in there.
struct entrance {
    unique_fd door;
    service serve;
};

/// What runs on each shard of the event model beside those who serve guests, as what keeps
/// connections of its own: given the shard's engine, its number from 0, and a context that is
/// cancelled when draining begins. A shard ends when it has returned, too. Its own context is
/// cancelled when everything is.
using resident = std::function<coro::task<void>(io::engine&, std::size_t, coro::context&)>;

struct options {
    /// The event model's; `blocking`, on which it cannot run, leaves the choice to it.
    io::engine_kind engine = io::engine_kind::blocking;
    unsigned workers = 0;  ///< threads or shards; 0: one a core
    /// Connections at a time at each entrance. At this many, the next wait in its backlog; other
    /// entrances go on accepting.
    std::uint32_t max_clients = 10'000;
    std::uint32_t max_per_address = 0;             ///< at an entrance; 0: address_limit's default
    io::duration grace = std::chrono::seconds{5};  ///< how long a stop may drain
    std::size_t stack = std::size_t{256} * 1024;   ///< bytes of stack a thread that serves
    complaints complain = {};                      ///< what went wrong, one line a kind
    /// Called on home's thread once all stands that serves. Must not throw; may be empty.
    std::function<void()> ready = {};
    /// Hears of each stage of a stop, on home's thread. Must not throw; may be empty.
    std::function<void(stage)> on_stage = {};
    std::vector<int> keep = {};  ///< descriptors of the service, left open in children of fork
    resident lives_here = {};    ///< the event model's; may be empty
    /// The event model's: clients are few and stay long, so a shard that has more of them than
    /// another hands over the next. Otherwise the kernel spreads them by a hash of their addresses,
    /// which costs nothing and may put six of eight on one shard.
    bool spread_evenly = false;
};

/// How many threads or shards `workers` means: itself, or one a core this process may run on.
[[nodiscard]] unsigned workers_of(unsigned workers) noexcept;

/// What was counted while serving. Any thread.
struct counters {
    std::atomic<std::uint64_t> accepted = 0;  ///< clients
    std::atomic<std::uint64_t> ended = 0;     ///< of them, those who are gone
    std::atomic<std::uint64_t> most = 0;      ///< at a time
    std::atomic<std::uint64_t> shed = 0;      ///< closed at once: there was no descriptor for them
    std::atomic<std::uint64_t> refused = 0;   ///< closed at once: too many from their address
    std::atomic<std::uint64_t> crashed = 0;   ///< children that ended by a signal
    std::atomic<std::uint64_t> retries = 0;   ///< pauses before a thread or process could be had
};

/// Services behind their doors under one model. Made, run and stopped on one thread, that of
/// `home`, a blocking engine on which the thread waits.
class server {
 public:
    server(const server&) = delete;
    server& operator=(const server&) = delete;
    virtual ~server();

    /// Serves until stop(), and returns when every client is gone. Once. The errno that made it
    /// impossible, and nobody is served then; what accepting ran into for good.
    [[nodiscard]] result<void> run();

    /// Home's thread, also from within its waits. The first time nobody else is accepted, and those
    /// who are here may finish what they began, for `grace`. The second time, or after that,
    /// everything is cancelled.
    void stop() noexcept;

    [[nodiscard]] const counters& counted() const noexcept { return counters_; }
    /// Clients each shard has accepted; empty where there are none.
    [[nodiscard]] virtual std::vector<std::uint64_t> spread() const { return {}; }

 protected:
    server(io::engine& home, std::vector<entrance> entrances, options o);

    /// Says ready() once it can serve; serves until draining, and waits for the clients' end.
    [[nodiscard]] virtual coro::task<result<void>> serve() = 0;
    /// Tells those who serve elsewhere how far the stop has come; for home there is patience().
    virtual void pass_on(stage /*now*/) noexcept {}

    void ready() const {
        if (options_.ready) options_.ready();
    }
    /// A connection, its service, which this outlives, and the number of its entrance.
    struct arrival {
        unique_fd socket;
        const service* serve = nullptr;
        std::size_t entrance = 0;
        address_limit::permit permit = {};
    };
    /// `co_await next_client()`: the next connection to home, at any entrance with fewer clients
    /// than the limit. fault::cancelled when draining has begun.
    [[nodiscard]] coro::task<result<arrival>> next_client();
    /// Home's thread: a client came by that entrance, or is gone.
    void client_came(std::size_t entrance) noexcept;
    void client_left(std::size_t entrance) noexcept;
    /// Clients that are here.
    [[nodiscard]] std::size_t clients() const noexcept { return clients_; }
    /// Waits, on home, until every client is gone.
    void see_all_off() noexcept;
    /// Whether accepting goes on although it ran into `why`, which is counted and told then: no
    /// memory, for which it waits a retry_interval.
    [[nodiscard]] bool survives(error why) noexcept;
    /// Waits a moment before something is tried again; false if draining has begun meanwhile.
    [[nodiscard]] coro::task<bool> pause();
    /// Before a thread, a process or memory is asked for once more: long enough not to spin.
    static constexpr auto retry_interval = std::chrono::milliseconds{50};

    [[nodiscard]] io::engine& home() const noexcept { return home_; }
    [[nodiscard]] std::vector<entrance>& entrances() noexcept { return entrances_; }
    /// Any thread: a permit for a connection that came by that entrance. Counts and reports those
    /// that are refused.
    [[nodiscard]] std::optional<address_limit::permit> admit(std::size_t entrance,
                                                             int socket) noexcept;
    [[nodiscard]] const options& settings() const noexcept { return options_; }
    [[nodiscard]] stage now() const noexcept { return stage_; }
    [[nodiscard]] coro::context& patience() noexcept { return patience_; }
    [[nodiscard]] troubles& told() noexcept { return troubles_; }
    [[nodiscard]] counters& counting() noexcept { return counters_; }
    [[nodiscard]] memory_trimmer& trimmer() noexcept { return trimmer_; }

 private:
    class reception;
    struct grace_timer : io::timer {
        explicit grace_timer(server& s) noexcept;
        server& owner;
    };
    void enter(stage next) noexcept;
    coro::task<result<void>> receive_and_serve();
    [[nodiscard]] bool is_full(std::size_t entrance) const noexcept {
        return clients_at_[entrance] >= options_.max_clients;
    }
    [[nodiscard]] bool all_full() const noexcept;

    io::engine& home_;
    std::vector<entrance> entrances_;
    options options_;
    troubles troubles_;
    counters counters_;
    memory_trimmer trimmer_{home_};
    stage stage_ = stage::serving;
    std::size_t clients_ = 0;
    std::vector<std::size_t> clients_at_;  // by entrance; home's thread
    std::vector<std::unique_ptr<address_limit>> by_address_;
    bool news_ = false;  // a client left, or the stage changed
    coro::context everything_;
    coro::context patience_;
    grace_timer grace_;
    std::unique_ptr<reception> reception_;
};

/// Tells that there was no descriptor or memory for a client.
void tell_shortage(troubles& told, error why) noexcept;
/// Tells that a connection could not be served to its end, and has it reset when it is closed.
void tell_lost(troubles& told, net::connection& peer, error why) noexcept;
/// Tells that a connection was refused for the number of those from its address.
void tell_refused(troubles& told, int socket) noexcept;

/// The doors listen; for the event model with several shards they share their ports
/// (net::listen_options). The error is a sentence without its full stop.
[[nodiscard]] std::expected<std::unique_ptr<server>, std::string> make(
    kind which, io::engine& home, std::vector<entrance> entrances, options o);

}  // namespace sluice::model
