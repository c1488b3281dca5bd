// Receives clients up to the limit, and ends in stages.
#include "sluice/model/model.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/io/deadline.hpp"
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

// Before a thread or a process is tried for once more: long enough not to spin.
constexpr auto retry_pause = 50ms;

}  // namespace

/// The listener on home, for the models that accept there. The event model's shards have their own.
class server::reception {
 public:
    reception(io::engine& home, unique_fd door, troubles& told)
        : listener_{home, std::move(door), io::accepting::one_by_one} {
        listener_.on_shortage([&told](error why) { tell_shortage(told, why); });
    }
    [[nodiscard]] net::listener& door() noexcept { return listener_; }

 private:
    net::listener listener_;
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

unsigned workers_of(unsigned workers) noexcept {
    if (workers > 0) return workers;
    cpu_set_t usable;
    CPU_ZERO(&usable);
    if (::sched_getaffinity(0, sizeof usable, &usable) != 0) {
        return std::max(1U, std::thread::hardware_concurrency());
    }
    return static_cast<unsigned>(std::max(1, CPU_COUNT(&usable)));
}

void tell_shortage(troubles& told, error why) noexcept {
    told.tell(trouble::shortage,
              fmt::format("a client was turned away, and others wait ({}): raise the limit, or "
                          "lower --max-clients",
                          why.message()));
}

server::grace_timer::grace_timer(server& s) noexcept
    : timer{[](timer& t) noexcept { static_cast<grace_timer&>(t).owner.enter(stage::ending); }},
      owner{s} {}

server::server(io::engine& home, unique_fd door, service serve, options o)
    : home_{home},
      door_{std::move(door)},
      service_{std::move(serve)},
      options_{std::move(o)},
      troubles_{options_.complain},
      everything_{home.ready()},
      patience_{everything_},
      grace_{*this} {
    check(home.blocks(), "a model waits on a blocking engine");
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
        counters_.shed += reception_->door().counted().shed;
        co_await reception_->door().close();
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

coro::task<result<unique_fd>> server::next_client() {
    if (!reception_) reception_ = std::make_unique<reception>(home_, std::move(door_), troubles_);
    while (clients_ >= options_.max_clients && stage_ == stage::serving) {
        news_ = false;
        home_.block_until(news_);
    }
    auto arrival = reception_->door().accept();
    arrival.set_context(patience_);
    auto socket = co_await arrival;
    co_return socket;
}

void server::client_came() noexcept {
    ++clients_;
    ++counters_.accepted;
    counters_.most = std::max<std::uint64_t>(counters_.most, clients_);
}

void server::client_left() noexcept {
    --clients_;
    ++counters_.ended;
    news_ = true;
}

void server::see_all_off() noexcept {
    while (clients_ > 0) {
        news_ = false;
        home_.block_until(news_);
    }
}

coro::task<bool> server::pause() {
    if (stage_ != stage::serving) co_return false;
    auto slept = co_await io::sleep_for(home_, retry_pause);
    co_return slept.has_value() && stage_ == stage::serving;
}

std::expected<std::unique_ptr<server>, std::string> make(kind which, io::engine& home,
                                                         unique_fd door, service serve, options o) {
    switch (which) {
        case kind::sync:
            return std::make_unique<sync>(home, std::move(door), std::move(serve), std::move(o));
        case kind::fork: return fork::make(home, std::move(door), std::move(serve), std::move(o));
        case kind::thread:
            return std::make_unique<thread>(home, std::move(door), std::move(serve), std::move(o));
        case kind::pool:
            return std::make_unique<pool>(home, std::move(door), std::move(serve), std::move(o));
        case kind::event:
            if (o.engine == io::engine_kind::blocking) o.engine = io::automatic_engine().kind;
            return std::make_unique<event>(home, std::move(door), std::move(serve), std::move(o));
    }
    return std::unexpected{"there is no such model"};
}

}  // namespace sluice::model
