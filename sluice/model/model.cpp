// Receives clients up to the limit, and ends in stages.
#include "sluice/model/model.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <iterator>
#include <list>
#include <optional>
#include <thread>
#include <utility>

#include "sluice/base/cgroup.hpp"
#include "sluice/base/check.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/epoll.hpp"
#include "sluice/io/ops/poll.hpp"
#include "sluice/io/run.hpp"
#include "sluice/model/event.hpp"
#include "sluice/model/fork.hpp"
#include "sluice/model/pool.hpp"
#include "sluice/model/sync.hpp"
#include "sluice/model/thread.hpp"
#include "sluice/net/listener.hpp"

namespace sluice::model {
namespace {

using namespace std::chrono_literals;

}  // namespace

/// The listeners on home, for the models that accept there. The event model's shards have their
/// own.
class server::reception {
 public:
    reception(io::engine& home, std::vector<entrance>& entrances, troubles& told) : home_{home} {
        for (auto& each : entrances) {
            auto& door = doors_.emplace_back(home, std::move(each.door), io::accepting::one_by_one);
            door.on_shortage([&told](error why) { tell_shortage(told, why); });
        }
    }

    reception(const reception&) = delete;
    reception& operator=(const reception&) = delete;
    ~reception() {
        if (bells_) home_.detach(bells_->fd());
    }

    /// The entrance where a connection waits, of those that are not closed off; where there is
    /// only one, that one.
    [[nodiscard]] coro::task<result<std::size_t>> knock() {
        if (doors_.size() == 1) co_return 0;
        if (auto watched = watch(); !watched) co_return failure(watched.error());
        for (;;) {
            auto ready = co_await io::poll{home_, bells_->fd(), io::interest::in};
            if (!ready) co_return failure(ready.error());
            std::array<epoll_event, 1> bell{};
            const auto rung = bells_->wait(bell, io::clock::now());
            if (!rung) co_return failure(rung.error());
            if (*rung == 1) co_return std::size_t{bell[0].data.u64};
        }
    }
    [[nodiscard]] net::listener& door(std::size_t number) {
        return *std::next(doors_.begin(), static_cast<std::ptrdiff_t>(number));
    }
    /// Whether connections at that entrance are left in its backlog for now.
    void close_off(std::size_t number, bool closed) {
        if (!bells_) return;
        const auto changed =
            bells_->modify(door(number).fd(), closed ? 0U : std::uint32_t{EPOLLIN}, number);
        check(changed.has_value(), "a listener left the set that watches it");
    }
    [[nodiscard]] coro::task<void> close() {
        for (auto& each : doors_) co_await each.close();
    }
    [[nodiscard]] std::uint64_t shed() const {
        std::uint64_t sum = 0;
        for (const auto& each : doors_) sum += each.counted().shed;
        return sum;
    }

 private:
    result<void> watch() {
        if (bells_) return {};
        auto made = io::epoll::create();
        if (!made) return failure(made.error());
        std::uint64_t number = 0;
        for (auto& each : doors_) {
            if (auto added = made->add(each.fd(), EPOLLIN, number++); !added) return added;
        }
        if (auto attached = home_.attach(made->fd()); !attached) return attached;
        bells_.emplace(std::move(*made));
        return {};
    }

    io::engine& home_;
    std::list<net::listener> doors_;
    std::optional<io::epoll> bells_;
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
    if (::sched_getaffinity(0, sizeof usable, &usable) != 0) {
        return std::max(1U, std::thread::hardware_concurrency());
    }
    return static_cast<unsigned>(std::max(1, CPU_COUNT(&usable)));
}

}  // namespace

unsigned workers_of(unsigned workers) noexcept {
    if (workers > 0) return workers;
    const unsigned cores = usable_cores();
    try {
        // Once a quota is spent, all threads stand still for the rest of its period.
        const double quota = cpu_quota(read_small_file);
        if (quota < cores) return std::max(1U, static_cast<unsigned>(quota));
    } catch (const std::exception&) {
        return cores;
    }
    return cores;
}

void tell_shortage(troubles& told, error why) noexcept {
    told.tell(trouble::shortage, [why] {
        return fmt::format(
            "a client was turned away, and others wait ({}): raise the limit, or "
            "lower --max-clients",
            why.message());
    });
}

void tell_lost(troubles& told, net::connection& peer, error why) noexcept {
    // What was half sent must not look like all of it.
    peer.reset_on_close();
    told.tell(trouble::memory, [&peer, why] {
        const auto from = peer.peer();
        return fmt::format(
            "the connection of {} was ended, for it could not be served ({}): raise "
            "the limit, or lower --max-clients",
            from ? from->to_string() : std::string{"a client"}, why.message());
    });
}

void tell_refused(troubles& told, int socket) noexcept {
    told.tell(trouble::address, [socket] {
        const auto peer = net::address::peer_of(socket);
        return fmt::format(
            "a client was turned away, for its address has as many connections as "
            "one may have here (--max-per-address): {}",
            peer ? peer->to_string() : std::string{"unknown"});
    });
}

server::grace_timer::grace_timer(server& s) noexcept
    : timer{[](timer& t) noexcept { static_cast<grace_timer&>(t).owner.enter(stage::ending); }},
      owner{s} {}

server::server(io::engine& home, std::vector<entrance> entrances, options o)
    : home_{home},
      entrances_{std::move(entrances)},
      options_{std::move(o)},
      troubles_{options_.complain},
      clients_at_(entrances_.size()),
      everything_{home.ready()},
      patience_{everything_},
      grace_{*this} {
    check(home.blocks(), "a model waits on a blocking engine");
    check(!entrances_.empty() || options_.lives_here, "a model has something to serve");
    for (std::size_t i = 0; i < entrances_.size(); ++i) {
        by_address_.push_back(
            std::make_unique<address_limit>(options_.max_per_address, options_.max_clients));
    }
}

server::~server() {
    home_.timers().disarm(grace_);
}

result<void> server::run() {
    if (stage_ != stage::serving) return {};
    auto ended = io::run(home_, receive_and_serve(), everything_);
    home_.timers().disarm(grace_);
    if (!ended && ended.error() == fault::cancelled) return {};
    return ended;
}

coro::task<result<void>> server::receive_and_serve() {
    auto ended = co_await serve();
    if (reception_) {
        counters_.shed += reception_->shed();
        co_await reception_->close();
        reception_.reset();
    }
    co_return ended;
}

void server::stop() noexcept {
    enter(stage_ == stage::serving ? stage::draining : stage::ending);
}

void server::enter(stage next) noexcept {
    if (next <= stage_) return;
    stage_ = next;
    news_ = true;
    if (next == stage::draining) {
        patience_.cancel();
        home_.timers().arm(grace_, io::after(io::clock::now(), options_.grace));
    } else {
        home_.timers().disarm(grace_);
        everything_.cancel();
    }
    pass_on(next);
    if (options_.on_stage) options_.on_stage(next);
}

coro::task<result<server::arrival>> server::next_client() {
    if (!reception_) reception_ = std::make_unique<reception>(home_, entrances_, troubles_);
    for (;;) {
        while (all_full() && stage_ == stage::serving) {
            news_ = false;
            home_.block_until(news_);
        }
        auto knocking = reception_->knock();
        knocking.set_context(patience_);
        const auto number = co_await knocking;
        if (!number) co_return failure(number.error());
        auto accepting = reception_->door(*number).accept();
        accepting.set_context(patience_);
        auto socket = co_await accepting;
        if (!socket) co_return failure(socket.error());
        auto permit = admit(*number, socket->get());
        if (!permit) continue;
        co_return arrival{.socket = std::move(*socket),
                          .serve = &entrances_[*number].serve,
                          .entrance = *number,
                          .permit = std::move(*permit)};
    }
}

bool server::all_full() const noexcept {
    for (std::size_t i = 0; i < clients_at_.size(); ++i) {
        if (!is_full(i)) return false;
    }
    return true;
}

std::optional<address_limit::permit> server::admit(std::size_t entrance, int socket) noexcept {
    auto permit = by_address_[entrance]->admit(socket);
    if (permit) return permit;
    ++counters_.refused;
    tell_refused(troubles_, socket);
    return permit;
}

void server::client_came(std::size_t entrance) noexcept {
    ++clients_;
    ++clients_at_[entrance];
    trimmer_.note(clients_);
    if (reception_ && is_full(entrance)) reception_->close_off(entrance, true);
    ++counters_.accepted;
    counters_.most = std::max<std::uint64_t>(counters_.most, clients_);
}

void server::client_left(std::size_t entrance) noexcept {
    if (reception_ && is_full(entrance)) reception_->close_off(entrance, false);
    --clients_;
    --clients_at_[entrance];
    trimmer_.note(clients_);
    ++counters_.ended;
    news_ = true;
}

void server::see_all_off() noexcept {
    while (clients_ > 0) {
        news_ = false;
        home_.block_until(news_);
    }
}

bool server::survives(error why) noexcept {
    if (!why.is(ENOMEM) || stage_ != stage::serving) return false;
    ++counters_.retries;
    tell_shortage(troubles_, why);
    return true;
}

coro::task<bool> server::pause() {
    if (stage_ != stage::serving) co_return false;
    auto slept = co_await io::sleep_for(home_, retry_interval);
    co_return slept.has_value() && stage_ == stage::serving;
}

std::expected<std::unique_ptr<server>, std::string> make(kind which, io::engine& home,
                                                         std::vector<entrance> entrances,
                                                         options o) {
    switch (which) {
        case kind::sync: return std::make_unique<sync>(home, std::move(entrances), std::move(o));
        case kind::fork: return fork::make(home, std::move(entrances), std::move(o));
        case kind::thread:
            return std::make_unique<thread>(home, std::move(entrances), std::move(o));
        case kind::pool: return std::make_unique<pool>(home, std::move(entrances), std::move(o));
        case kind::event:
            if (o.engine == io::engine_kind::blocking) o.engine = io::automatic_engine().kind;
            return std::make_unique<event>(home, std::move(entrances), std::move(o));
    }
    return std::unexpected{"there is no such model"};
}

}  // namespace sluice::model
