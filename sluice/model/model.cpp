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

/// The listeners of models that accept on the server's engine. The event model's shards have their
/// own.
class server::acceptor {
 public:
    acceptor(io::engine& engine, std::vector<endpoint>& endpoints, event_log& log)
        : engine_{engine} {
        for (auto& each : endpoints) {
            auto& listener = listeners_.emplace_back(engine, std::move(each.listener),
                                                     io::accepting::one_by_one);
            listener.on_shortage([&log](error why) { report_shortage(log, why); });
        }
    }

    acceptor(const acceptor&) = delete;
    acceptor& operator=(const acceptor&) = delete;
    ~acceptor() {
        if (ready_set_) engine_.detach(ready_set_->fd());
    }

    /// The endpoint at which a connection waits, of those that are not paused; the only one at once
    /// if there is one.
    [[nodiscard]] coro::task<result<std::size_t>> wait_until_ready() {
        if (listeners_.size() == 1) co_return 0;
        if (auto watched = watch(); !watched) co_return failure(watched.error());
        for (;;) {
            auto ready = co_await io::poll{engine_, ready_set_->fd(), io::interest::in};
            if (!ready) co_return failure(ready.error());
            std::array<epoll_event, 1> wakeup{};
            const auto ready_count = ready_set_->wait(wakeup, io::clock::now());
            if (!ready_count && ready_count.error().is(EINTR)) continue;
            if (!ready_count) co_return failure(ready_count.error());
            if (*ready_count == 1) co_return std::size_t{wakeup[0].data.u64};
        }
    }
    /// A connection that came there. No descriptor if it is gone, and others wait elsewhere: after
    /// a shortage, or because its client left the backlog.
    [[nodiscard]] coro::task<result<unique_fd>> accept(std::size_t number) {
        if (listeners_.size() == 1) return listener(number).accept();
        return listener(number).accept_waiting();
    }
    /// Leaves connections at that endpoint in its backlog, or accepts them again.
    void set_paused(std::size_t number, bool paused) {
        if (!ready_set_) return;
        const auto changed =
            ready_set_->modify(listener(number).fd(), paused ? 0U : std::uint32_t{EPOLLIN}, number);
        check(changed.has_value(), "a listener is missing from its epoll instance");
    }
    [[nodiscard]] coro::task<void> close() {
        for (auto& each : listeners_) co_await each.close();
    }
    [[nodiscard]] std::uint64_t shed() const {
        std::uint64_t sum = 0;
        for (const auto& each : listeners_) sum += each.counted().shed;
        return sum;
    }

 private:
    [[nodiscard]] net::listener& listener(std::size_t number) {
        return *std::next(listeners_.begin(), static_cast<std::ptrdiff_t>(number));
    }
    result<void> watch() {
        if (ready_set_) return {};
        auto made = io::epoll::create();
        if (!made) return failure(made.error());
        std::uint64_t number = 0;
        for (auto& each : listeners_) {
            if (auto added = made->add(each.fd(), EPOLLIN, number++); !added) return added;
        }
        if (auto attached = engine_.attach(made->fd()); !attached) return attached;
        ready_set_.emplace(std::move(*made));
        return {};
    }

    io::engine& engine_;
    std::list<net::listener> listeners_;
    std::optional<io::epoll> ready_set_;
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

void report_lost(event_log& log, net::connection& peer, error why) noexcept {
    // The peer must not take a part of the data for all of it.
    peer.set_linger_reset();
    log.report(event_kind::memory, [&peer, why] {
        const auto from = peer.peer();
        return fmt::format(
            "the connection of {} was ended, for it could not be served ({}): raise "
            "the limit, or lower --max-clients",
            from ? from->to_string() : std::string{"a client"}, why.message());
    });
}

void report_refused(event_log& log, int socket) noexcept {
    log.report(event_kind::address, [socket] {
        const auto peer = net::address::peer_of(socket);
        return fmt::format(
            "a client was turned away, for its address has as many connections as one may have "
            "here (--max-per-address), or makes them too often (--rate-per-address): {}",
            peer ? peer->to_string() : std::string{"unknown"});
    });
}

server::grace_timer::grace_timer(server& s) noexcept
    : timer{[](timer& t) noexcept { static_cast<grace_timer&>(t).owner.enter(stage::ending); }},
      owner{s} {}

server::server(io::engine& engine, std::vector<endpoint> endpoints, server_options o)
    : engine_{engine},
      endpoints_{std::move(endpoints)},
      options_{std::move(o)},
      event_log_{options_.log_to},
      clients_at_(endpoints_.size()),
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
        by_address_.push_back(std::make_unique<address_limit>(
            address_limit::limits{.most = options_.max_per_address,
                                  .rate = options_.rate_per_address,
                                  .max_clients = options_.max_clients}));
    }
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
    if (!acceptor_) acceptor_ = std::make_unique<acceptor>(engine_, endpoints_, event_log_);
    for (;;) {
        while (all_full() && stage_ == stage::serving) {
            changed_ = false;
            engine_.block_until(changed_);
        }
        auto readiness = acceptor_->wait_until_ready();
        readiness.set_context(drain_context_);
        const auto number = co_await readiness;
        if (!number) co_return failure(number.error());
        auto accepting = acceptor_->accept(*number);
        accepting.set_context(drain_context_);
        auto socket = co_await accepting;
        if (!socket) co_return failure(socket.error());
        if (!*socket) continue;
        auto permit = admit(*number, socket->get());
        if (!permit) continue;
        co_return arrival{.socket = std::move(*socket),
                          .serve = &endpoints_[*number].serve,
                          .endpoint = *number,
                          .permit = std::move(*permit)};
    }
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

std::optional<address_limit::permit> server::admit(std::size_t endpoint, int socket) noexcept {
    auto permit = by_address_[endpoint]->admit(socket);
    if (permit) return permit;
    ++counters_.refused;
    net::set_linger_reset(socket);
    report_refused(event_log_, socket);
    return permit;
}

void server::client_came(std::size_t endpoint) noexcept {
    ++clients_;
    ++clients_at_[endpoint];
    trimmer_.update(clients_);
    if (acceptor_ && is_full(endpoint)) acceptor_->set_paused(endpoint, true);
    ++counters_.accepted;
    counters_.most = std::max<std::uint64_t>(counters_.most, clients_);
}

void server::client_left(std::size_t endpoint) noexcept {
    if (acceptor_ && is_full(endpoint)) acceptor_->set_paused(endpoint, false);
    --clients_;
    --clients_at_[endpoint];
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
