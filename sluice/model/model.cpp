// Implements server: accepts clients up to the limits, and stops in stages.
#include "sluice/model/model.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <iterator>
#include <list>
#include <map>
#include <optional>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/epoll.hpp"
#include "sluice/io/ops/poll.hpp"
#include "sluice/io/run.hpp"
#include "sluice/model/secure.hpp"
#include "sluice/net/linger_reset.hpp"
#include "sluice/net/listener.hpp"
#include "sluice/os/cgroup.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::model {

/// A connection of a trusted proxy that waits for its header.
struct server::announcing {
    std::uint64_t key = 0;  // in the epoll instance
    unique_fd socket;
    std::size_t endpoint = 0;
    io::time_point until = {};
    announcement said = {};
};

/// The listeners of models that accept on the server's engine. The event model's shards have their
/// own.
class server::acceptor {
 public:
    /// What has come: a connection at an endpoint, or more of a `header`, or the end of its time.
    struct ready_at {
        std::size_t listener = 0;
        std::size_t endpoint = 0;
        announcing* header = nullptr;
        bool is_late = false;
    };

    /// With `proxied`, connections may be added that wait for their headers.
    acceptor(io::engine& engine, std::vector<endpoint>& endpoints, event_log& log, bool proxied)
        : engine_{engine}, proxied_{proxied}, waiting_at_(endpoints.size()) {
        for (std::size_t number = 0; number < endpoints.size(); ++number) {
            add_listener(number, std::move(endpoints[number].listener), log);
            for (auto& each : endpoints[number].more) add_listener(number, std::move(each), log);
        }
        next_key_ = listeners_.size();
    }

    acceptor(const acceptor&) = delete;
    acceptor& operator=(const acceptor&) = delete;
    ~acceptor() {
        if (ready_set_) engine_.detach(ready_set_->fd());
        for (const auto& [key, each] : announcing_) net::set_linger_reset(each.socket.get());
    }

    /// The listener at which a connection waits, of those that are not paused.
    [[nodiscard]] coro::task<result<ready_at>> wait_until_ready() {
        if (is_alone()) {
            io::poll readiness{engine_, listener(0).socket.fd(), io::interest::in};
            const auto ready = co_await readiness;
            if (!ready) co_return failure(ready.error());
            co_return ready_at{};
        }
        if (auto watched = watch(); !watched) co_return failure(watched.error());
        for (;;) {
            const auto until = announcing_.empty() ? io::never : announcing_.begin()->second.until;
            // First, since a listener may be ready all the time.
            if (!announcing_.empty() && until <= io::clock::now()) {
                co_return ready_at{.header = &announcing_.begin()->second, .is_late = true};
            }
            io::poll readiness{engine_, ready_set_->fd(), io::interest::in};
            auto ready = co_await io::with_deadline(engine_, readiness, until);
            if (!ready && ready.error() == fault::timed_out) continue;
            if (!ready) co_return failure(ready.error());
            std::array<epoll_event, 1> wakeup{};
            const auto ready_count = ready_set_->wait(wakeup, io::clock::now());
            if (!ready_count && ready_count.error().is(EINTR)) continue;
            if (!ready_count) co_return failure(ready_count.error());
            if (*ready_count == 1) co_return ready_of(wakeup[0].data.u64);
        }
    }
    /// Waits for the header of a connection that came there. False without a descriptor or memory.
    [[nodiscard]] bool add(unique_fd socket, std::size_t number, io::time_point until) try {
        const std::uint64_t key = next_key_++;
        const auto added =
            announcing_.emplace_hint(announcing_.end(), key, announcing{key, std::move(socket)});
        added->second.endpoint = number;
        added->second.until = until;
        if (!ready_set_->add(added->second.socket.get(), EPOLLIN, key)) {
            announcing_.erase(added);
            return false;
        }
        ++waiting_at_[number];
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
    /// Waits no longer: it is the caller's again.
    [[nodiscard]] announcing take(announcing& which) {
        static_cast<void>(ready_set_->remove(which.socket.get()));
        --waiting_at_[which.endpoint];
        auto taken = std::move(which);
        announcing_.erase(taken.key);
        return taken;
    }
    /// Connections that wait for their headers, at that endpoint or at all.
    [[nodiscard]] std::size_t waiting(std::size_t number) const noexcept {
        return waiting_at_[number];
    }
    [[nodiscard]] bool has_waiting() const noexcept { return !announcing_.empty(); }
    /// A connection that came to that listener. No descriptor if it is gone: after a shortage,
    /// because its client left the backlog, or because another process has it.
    [[nodiscard]] coro::task<result<unique_fd>> accept(std::size_t which) {
        return listener(which).socket.accept_waiting();
    }
    /// Leaves connections at that endpoint in its backlog, or accepts them again.
    void set_paused(std::size_t number, bool paused) {
        if (!ready_set_) return;
        std::uint64_t key = 0;
        for (auto& each : listeners_) {
            const auto own = key++;
            if (each.endpoint != number) continue;
            const auto changed =
                ready_set_->modify(each.socket.fd(), paused ? 0U : std::uint32_t{EPOLLIN}, own);
            check(changed.has_value(), "a listener is missing from its epoll instance");
        }
    }
    [[nodiscard]] coro::task<void> close() {
        for (auto& each : listeners_) co_await each.socket.close();
    }
    [[nodiscard]] std::uint64_t shed() const {
        std::uint64_t sum = 0;
        for (const auto& each : listeners_) sum += each.socket.counted().shed;
        return sum;
    }

 private:
    struct numbered_listener {
        numbered_listener(io::engine& engine, unique_fd from, std::size_t number)
            : endpoint{number}, socket{engine, std::move(from), io::accepting::one_by_one} {}
        std::size_t endpoint;
        net::listener socket;
    };
    void add_listener(std::size_t number, unique_fd socket, event_log& log) {
        auto& made = listeners_.emplace_back(engine_, std::move(socket), number);
        made.socket.on_shortage([&log](error why) { report_shortage(log, why); });
    }
    [[nodiscard]] numbered_listener& listener(std::size_t which) {
        return *std::next(listeners_.begin(), static_cast<std::ptrdiff_t>(which));
    }
    /// One listener, and nothing else to wait for.
    [[nodiscard]] bool is_alone() const noexcept { return listeners_.size() == 1 && !proxied_; }
    /// Listeners are watched by their numbers, and connections by greater ones.
    [[nodiscard]] ready_at ready_of(std::uint64_t key) noexcept {
        const auto found = announcing_.find(key);
        if (found != announcing_.end()) return {.header = &found->second};
        return {.listener = key, .endpoint = listener(key).endpoint};
    }
    result<void> watch() {
        if (ready_set_) return {};
        auto made = io::epoll::create();
        if (!made) return failure(made.error());
        std::uint64_t number = 0;
        for (auto& each : listeners_) {
            if (auto added = made->add(each.socket.fd(), EPOLLIN, number++); !added) return added;
        }
        if (auto attached = engine_.attach(made->fd()); !attached) return attached;
        ready_set_.emplace(std::move(*made));
        return {};
    }

    io::engine& engine_;
    bool proxied_;
    std::list<numbered_listener> listeners_;
    std::optional<io::epoll> ready_set_;
    std::map<std::uint64_t, announcing> announcing_;  // in the order of their ends of time
    std::uint64_t next_key_ = 0;
    std::vector<std::size_t> waiting_at_;  // by endpoint
};

std::string_view to_text(kind k) noexcept {
    switch (k) {
        case kind::sync: return "sync";
        case kind::fork: return "fork";
        case kind::thread: return "thread";
        case kind::pool: return "pool";
        case kind::event: return "event";
    }
    return "unknown";
}

namespace {

unsigned usable_cores() noexcept {
    cpu_set_t usable;
    CPU_ZERO(&usable);
    // A set of more cores than fit into cpu_set_t is refused.
    if (os::sys().sched_getaffinity(usable) < 0) {
        return static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
    }
    return static_cast<unsigned>(std::max(1, CPU_COUNT(&usable)));
}

}  // namespace

unsigned workers_of(unsigned workers) noexcept {
    if (workers > 0) return workers;
    const unsigned cores = usable_cores();
    try {
        // Once a quota is spent, all threads are stopped for the rest of its period.
        const double quota = cpu_quota(read_small_file);
        if (quota < cores) return std::max(1U, static_cast<unsigned>(quota));
    } catch (const std::exception&) {
        return cores;
    }
    return cores;
}

void report_shortage(event_log& log, error why) noexcept {
    log.report(event_kind::shortage, [why] {
        return fmt::format(
            "a client was turned away, and others wait ({}): raise the limit, or "
            "lower --max-clients",
            why.message());
    });
}

namespace {

std::string text_of(const result<net::address>& from) {
    return from ? from->to_string() : std::string{"a client that is gone"};
}

}  // namespace

void report_coming(event_log& log, const session& client) noexcept {
    log.detail(event_log::level::debug,
               [&client] { return fmt::format("{} has connected", text_of(client.address())); });
}

void report_coming(event_log& log, const announced_address& announced, int socket) noexcept {
    log.detail(event_log::level::debug, [&announced, socket] {
        return fmt::format("{} has connected", text_of(address_of(announced, socket)));
    });
}

void report_going(event_log& log, const session& client) noexcept {
    log.detail(event_log::level::debug, [&client] {
        return fmt::format("the connection of {} is closed", text_of(client.address()));
    });
}

void report_lost(event_log& log, session& client, error why) noexcept {
    // The peer must not take a part of the data for all of it.
    client.peer().set_linger_reset();
    log.report(event_kind::memory, [&client, why] {
        const auto from = client.address();
        return fmt::format(
            "the connection of {} was ended, for it could not be served ({}): raise "
            "the limit, or lower --max-clients",
            from ? from->to_string() : std::string{"a client"}, why.message());
    });
}

namespace {

/// Reports that a connection was refused for the number of those from its address.
void report_refused(event_log& log, int socket, const net::address* announced) noexcept {
    log.report(event_kind::address, [socket, announced] {
        const auto peer = announced != nullptr ? *announced : net::address::peer_of(socket);
        return fmt::format(
            "a client was turned away, for its address has as many connections as one may have "
            "here (--max-per-address), or makes them too often (--rate-per-address): {}",
            peer ? peer->to_string() : std::string{"unknown"});
    });
}

/// Reports that a trusted proxy did not say whose connection it is.
void report_bad_header(event_log& log, int socket, std::string_view why) noexcept {
    log.report(event_kind::proxy, [socket, why] {
        const auto peer = net::address::peer_of(socket);
        return fmt::format(
            "a connection of the trusted proxy {} was closed, for its PROXY header is {}",
            peer ? peer->to_string() : std::string{"that is gone"}, why);
    });
}

}  // namespace

server::grace_timer::grace_timer(server& s) noexcept
    : timer{[](timer& t) noexcept { static_cast<grace_timer&>(t).owner.enter(stage::ending); }},
      owner{s} {}

server::server(io::engine& engine, std::vector<endpoint> endpoints, server_options o)
    : engine_{engine},
      endpoints_{std::move(endpoints)},
      options_{std::move(o)},
      event_log_{options_.log_to, options_.details},
      clients_at_(endpoints_.size()),
      client_counts_(endpoints_.size()),
      root_{engine.ready()},
      drain_context_{root_},
      grace_{*this} {
    check(engine.blocks(), "a model accepts on the blocking engine");
    check(!endpoints_.empty(), "a model needs an endpoint");
    for (auto& each : endpoints_) {
        if (each.over.context != nullptr && each.serve) {
            each.serve = secured(each.over, std::move(each.serve));
        }
    }
    for (std::size_t i = 0; i < endpoints_.size(); ++i) {
        by_address_.push_back(std::make_unique<address_limit>(limits_per_address()));
    }
}

address_limit::limits server::limits_per_address() const noexcept {
    return {.most = options_.max_per_address,
            .rate = options_.rate_per_address,
            .max_clients = options_.max_clients};
}

void server::set_limits(std::uint32_t max_clients, std::uint32_t max_per_address,
                        std::uint32_t rate_per_address) noexcept {
    options_.max_clients = max_clients;
    options_.max_per_address = max_per_address;
    options_.rate_per_address = rate_per_address;
    for (const auto& each : by_address_) each->set(limits_per_address());
    for (std::size_t i = 0; acceptor_ && i < endpoints_.size(); ++i) {
        acceptor_->set_paused(i, is_full(i));
    }
    changed_ = true;
    limits_changed();
}

server::~server() {
    engine_.timers().disarm(grace_);
}

result<void> server::run() {
    if (stage_ != stage::serving) return {};
    auto ended = open_listeners();
    if (ended && options_.listening) ended = options_.listening();
    if (ended) ended = io::run(engine_, receive_and_serve(), root_);
    engine_.timers().disarm(grace_);
    if (!ended && ended.error() == fault::cancelled) return {};
    return ended;
}

coro::task<result<void>> server::receive_and_serve() {
    auto ended = co_await serve();
    if (acceptor_) {
        counters_.shed += acceptor_->shed();
        co_await acceptor_->close();
        acceptor_.reset();
    }
    co_return ended;
}

void server::stop() noexcept {
    enter(stage_ == stage::serving ? stage::draining : stage::ending);
}

void server::stop_for_successor() noexcept {
    has_successor_ = true;
    stop();
}

void server::enter(stage next) noexcept {
    if (next <= stage_) return;
    stage_ = next;
    changed_ = true;
    if (next == stage::draining) {
        drain_context_.cancel();
        engine_.timers().arm(grace_, io::after(io::clock::now(), options_.grace));
    } else {
        engine_.timers().disarm(grace_);
        root_.cancel();
    }
    pass_on(next);
    if (options_.on_stage) options_.on_stage(next);
}

coro::task<result<server::arrival>> server::next_client() {
    if (!acceptor_) {
        acceptor_ = std::make_unique<acceptor>(engine_, endpoints_, event_log_,
                                               !options_.trusted_proxies.empty());
    }
    for (;;) {
        while (all_full() && !acceptor_->has_waiting() && stage_ == stage::serving) {
            changed_ = false;
            engine_.block_until(changed_);
        }
        auto readiness = acceptor_->wait_until_ready();
        readiness.set_context(drain_context_);
        const auto ready = co_await readiness;
        if (!ready) co_return failure(ready.error());
        // A stop may have come with it, after which no model takes another client: it stays in the
        // backlog, for another process that accepts at the same socket.
        if (stage_ != stage::serving) co_return failure(fault::cancelled);
        if (ready->header != nullptr) {
            auto announced = receive_header(*ready->header, ready->is_late);
            if (announced) co_return std::move(*announced);
            continue;
        }
        const std::size_t number = ready->endpoint;
        auto accepting = acceptor_->accept(ready->listener);
        accepting.set_context(drain_context_);
        auto socket = co_await accepting;
        if (!socket) co_return failure(socket.error());
        if (!*socket) continue;
        const auto peer = net::address::peer_of(socket->get());
        if (is_from_proxy(peer)) {
            wait_for_header(std::move(*socket), number);
            continue;
        }
        auto permit = admit(number, socket->get(), peer);
        if (!permit) continue;
        co_return arrival{.socket = std::move(*socket),
                          .serve = &endpoints_[number].serve,
                          .endpoint = number,
                          .permit = std::move(*permit)};
    }
}

// It counts as a client of the endpoint meanwhile. A header that is there already is read in the
// next turn, like any other.
void server::wait_for_header(unique_fd socket, std::size_t number) noexcept {
    const auto until = io::after(io::clock::now(), options_.header_time);
    if (!acceptor_->add(std::move(socket), number, until)) {
        report_shortage(event_log_, error::system(ENOMEM));
    } else if (is_full(number)) {
        acceptor_->set_paused(number, true);
    }
}

std::optional<server::arrival> server::receive_header(announcing& from, bool is_late) noexcept {
    auto step = from.said.advance(from.socket.get());
    if (step == announcement::step::waits && is_late) step = from.said.give_up(from.socket.get());
    if (step == announcement::step::waits) return std::nullopt;
    // Its model counts it from now on, if it gets that far.
    const bool was_full = is_full(from.endpoint);
    auto taken = acceptor_->take(from);
    if (was_full) acceptor_->set_paused(taken.endpoint, is_full(taken.endpoint));
    auto client = taken.said.client();
    auto permit =
        admit_announced(taken.endpoint, taken.socket.get(), step, taken.said.why(), client.get());
    if (!permit) return std::nullopt;
    return arrival{.socket = std::move(taken.socket),
                   .serve = &endpoints_[taken.endpoint].serve,
                   .endpoint = taken.endpoint,
                   .permit = std::move(*permit),
                   .announced = std::move(client)};
}

coro::task<result<void>> server::receive_clients(
    std::function<coro::task<result<void>>(arrival)> receive) {
    for (;;) {
        auto client = co_await next_client();
        if (!client && should_retry(client.error())) {
            co_await io::sleep_for(engine_, retry_interval);
            continue;
        }
        if (!client) co_return failure(client.error());
        const auto received = co_await receive(std::move(*client));
        if (!received) report_shortage(event_log_, received.error());
    }
}

bool server::all_full() const noexcept {
    for (std::size_t i = 0; i < clients_at_.size(); ++i) {
        if (!is_full(i)) return false;
    }
    return true;
}

std::optional<address_limit::permit> server::admit(std::size_t endpoint, int socket,
                                                   const result<net::address>& peer) noexcept {
    // One that is gone already, or of another family, has no address to count.
    if (!peer) return address_limit::permit{};
    auto permit = by_address_[endpoint]->admit(*peer);
    if (!permit) refuse(socket, nullptr);
    return permit;
}

bool server::is_from_proxy(const result<net::address>& peer) const noexcept {
    return peer && net::covers(options_.trusted_proxies, *peer);
}

std::optional<address_limit::permit> server::admit_announced(std::size_t endpoint, int socket,
                                                             announcement::step end,
                                                             std::string_view why,
                                                             const net::address* client) noexcept {
    if (end != announcement::step::served) {
        net::set_linger_reset(socket);
        if (why.empty()) return std::nullopt;
        ++counters_.bad_headers;
        report_bad_header(event_log_, socket, why);
        return std::nullopt;
    }
    // The proxy's own connections are under no limit, as those of all its clients come from there.
    if (client == nullptr) return address_limit::permit{};
    ++counters_.announced;
    auto permit = by_address_[endpoint]->admit(*client);
    if (!permit) refuse(socket, client);
    return permit;
}

void server::refuse(int socket, const net::address* announced) noexcept {
    ++counters_.refused;
    net::set_linger_reset(socket);
    report_refused(event_log_, socket, announced);
}

bool server::is_full(std::size_t endpoint) const noexcept {
    const std::size_t waiting = acceptor_ ? acceptor_->waiting(endpoint) : 0;
    return clients_at_[endpoint] + waiting >= options_.max_clients;
}

void server::client_came(std::size_t endpoint) noexcept {
    ++clients_;
    ++clients_at_[endpoint];
    ++client_counts_[endpoint].accepted;
    trimmer_.update(clients_);
    if (acceptor_ && is_full(endpoint)) acceptor_->set_paused(endpoint, true);
    ++counters_.accepted;
    counters_.most = std::max<std::uint64_t>(counters_.most, clients_);
}

void server::client_left(std::size_t endpoint) noexcept {
    const bool was_full = is_full(endpoint);
    --clients_;
    --clients_at_[endpoint];
    if (acceptor_ && was_full) acceptor_->set_paused(endpoint, is_full(endpoint));
    ++client_counts_[endpoint].ended;
    trimmer_.update(clients_);
    ++counters_.ended;
    changed_ = true;
}

void server::wait_for_clients() noexcept {
    while (clients_ > 0) {
        changed_ = false;
        engine_.block_until(changed_);
    }
}

bool server::should_retry(error why) noexcept {
    if (!why.is(ENOMEM) || stage_ != stage::serving) return false;
    ++counters_.retries;
    report_shortage(event_log_, why);
    return true;
}

coro::task<bool> server::pause() {
    if (stage_ != stage::serving) co_return false;
    auto slept = co_await io::sleep_for(engine_, retry_interval);
    co_return slept.has_value() && stage_ == stage::serving;
}

}  // namespace sluice::model
