// Shards, each with its doors and its clients.
#include "sluice/model/event.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <utility>

#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/shard.hpp"
#include "sluice/model/attend.hpp"
#include "sluice/model/hand_over.hpp"
#include "sluice/model/stop_cord.hpp"
#include "sluice/net/address.hpp"
#include "sluice/net/listener.hpp"

namespace sluice::model {
namespace {

using namespace std::chrono_literals;

}  // namespace

/// What one shard serves. The letter goes home when it has ended.
class event::share : io::letter {
 public:
    share(event& owner, std::size_t number, std::vector<unique_fd> doors)
        : letter{[](letter& l) noexcept { static_cast<share&>(l).ended_ = true; }},
          owner_{owner},
          number_{number},
          doors_{std::move(doors)},
          cord_{
              [this](stage now) { (now == stage::draining ? *patience_ : *everything_).cancel(); }},
          from_others_{[this](hand_over::client c) { serve_here(std::move(c)); }} {}

    [[nodiscard]] result<void> start() {
        auto started = io::shard::start({.kind = owner_.settings().engine, .engine = {}, .cpu = {}},
                                        [this](io::engine& here) { return run(here); });
        if (!started) return failure(started.error());
        shard_ = std::move(*started);
        return {};
    }
    void stop(stage now) noexcept { cord_.pull(now); }
    /// Home's thread: waits for its end. What accepting ran into, if that ended it.
    [[nodiscard]] result<void> join() noexcept {
        owner_.home().block_until(ended_);
        shard_->join();
        return outcome_;
    }
    [[nodiscard]] std::uint64_t accepted() const noexcept { return accepted_; }
    /// Any thread.
    [[nodiscard]] std::size_t clients() const noexcept { return clients_; }
    /// Any thread. False if it serves nobody now: `who` stays with the caller.
    [[nodiscard]] bool take_over(hand_over::client& who) noexcept {
        // Before it is on its way, so that a burst does not all go to one.
        ++clients_;
        if (from_others_.give(who)) return true;
        --clients_;
        return false;
    }

 private:
    /// A client's permits, from its arrival to its end.
    class occupied {
     public:
        occupied(share& where, std::size_t door, address_limit::permit permit) noexcept
            : where_{&where}, door_{door}, permit_{std::move(permit)} {
            where.owner_.client_served();
        }
        occupied(occupied&& other) noexcept
            : where_{std::exchange(other.where_, nullptr)},
              door_{other.door_},
              permit_{std::move(other.permit_)} {}
        occupied& operator=(occupied&&) = delete;
        occupied(const occupied&) = delete;
        occupied& operator=(const occupied&) = delete;
        ~occupied() {
            if (where_ == nullptr) return;
            --where_->clients_;
            where_->owner_.client_ended();
            where_->owner_.seats_[door_].give_back();
        }

     private:
        share* where_;
        std::size_t door_;
        address_limit::permit permit_;
    };

    coro::task<void> run(io::engine& here) {
        everything_.emplace(co_await coro::this_context());
        patience_.emplace(*everything_);
        here_ = &here;
        cord_.tie(here);
        {
            coro::scope clients{*everything_, coro::siblings::go_on};
            served_ = &clients;
            from_others_.open(here);
            coro::scope receptions{*patience_};
            for (std::size_t i = 0; i < doors_.size(); ++i) {
                if (!receptions.spawn(receive(here, i, receptions))) {
                    outcome_ = failure_of(ENOMEM);
                    receptions.cancel();
                }
            }
            const auto& beside = owner_.settings().lives_here;
            if (beside) {
                auto lived = co_await beside(here, number_, *patience_).outcome();
                if (!lived && outcome_) outcome_ = lived;
                if (!lived) receptions.cancel();
            }
            co_await receptions.join();
            // Nobody asked them to wait: they find the door closed, as those in the backlog do.
            for (const auto& each : from_others_.close()) owner_.seats_[each.door].give_back();
            co_await clients.join();
            served_ = nullptr;
        }
        co_await let_go(here);
        owner_.home().post(*this);
    }

    coro::task<void> receive(io::engine& here, std::size_t number, coro::scope& receptions) {
        net::listener door{here, std::move(doors_[number]), io::accepting::one_by_one};
        door.on_shortage([this](error why) { tell_shortage(owner_.told(), why); });
        const auto ended = co_await accept_all(door, number);
        owner_.counting().shed += door.counted().shed;
        co_await door.close();
        if (ended || ended.error() == fault::cancelled) co_return;
        outcome_ = ended;
        receptions.cancel();
    }

    coro::task<result<void>> accept_all(net::listener& door, std::size_t number) {
        seats& permits = owner_.seats_[number];
        for (;;) {
            // Only while there is a seat, which is taken when somebody has come: a shard that waits
            // keeps none from the others.
            auto seat = co_await permits.until_one_is_free(door.home());
            if (!seat) co_return seat;
            auto socket = co_await door.accept();
            if (!socket && socket.error().is(ENOMEM)) {
                tell_shortage(owner_.told(), socket.error());
                auto slept = co_await io::sleep_for(door.home(), retry_interval);
                if (!slept) co_return slept;
                continue;
            }
            if (!socket) co_return failure(socket.error());
            auto permit = owner_.admit(number, socket->get());
            if (!permit) continue;
            seat = co_await permits.take(door.home());
            if (!seat) co_return seat;
            hand_over::client arrived{
                .socket = std::move(*socket), .door = number, .permit = std::move(*permit)};
            if (share& least = owner_.least_busy(*this); &least != this) {
                if (least.take_over(arrived)) continue;
            }
            ++clients_;
            serve_here(std::move(arrived));
        }
    }

    void serve_here(hand_over::client who) noexcept {
        accepted_.fetch_add(1, std::memory_order_relaxed);
        occupied seat{*this, who.door, std::move(who.permit)};
        // Without memory for it, the client is closed.
        static_cast<void>(served_->spawn(attend(*here_, std::move(who.socket), *patience_,
                                                owner_.entrances()[who.door].serve, owner_.told(),
                                                std::move(seat))));
    }

    /// Waits until no stop is under way to here.
    coro::task<void> let_go(io::engine& here) {
        coro::context calm{here.ready()};
        while (!from_others_.quiet() || !cord_.try_untie()) {
            auto wait = pause(here);
            wait.set_context(calm);
            co_await wait;
        }
        patience_.reset();
        everything_.reset();
    }
    static coro::task<void> pause(io::engine& here) { co_await io::sleep_for(here, 1ms); }

    event& owner_;
    std::size_t number_;
    std::vector<unique_fd> doors_;
    stop_cord cord_;
    hand_over from_others_;
    io::engine* here_ = nullptr;
    coro::scope* served_ = nullptr;         // while there are some
    std::atomic<std::size_t> clients_ = 0;  // with those on their way to here
    std::optional<coro::context> everything_;
    std::optional<coro::context> patience_;
    std::atomic<std::uint64_t> accepted_ = 0;
    result<void> outcome_;
    bool ended_ = false;
    std::unique_ptr<io::shard> shard_;
};

event::event(io::engine& home, std::vector<entrance> entrances, options o)
    : server{home, std::move(entrances), std::move(o)} {
    for (std::size_t i = 0; i < this->entrances().size(); ++i) {
        seats_.emplace_back(settings().max_clients);
    }
}

event::~event() = default;

coro::task<result<void>> event::serve() {
    if (auto opened = open_doors(); !opened) co_return opened;
    result<void> end;
    std::list<share> idle;
    idle.splice(idle.end(), shares_);
    while (!idle.empty() && now() == stage::serving) {
        if (auto started = idle.front().start(); !started) {
            end = started;
            stop();
            break;
        }
        shares_.splice(shares_.end(), idle, idle.begin());
    }
    if (now() == stage::serving) ready();
    for (auto& each : shares_) {
        auto ended = each.join();
        if (ended || ended.error() == fault::cancelled) continue;
        end = ended;
        if (now() == stage::serving) stop();
    }
    co_return end;
}

result<void> event::open_doors() {
    std::vector<net::address> places;
    std::vector<unique_fd> first;
    for (auto& each : entrances()) {
        const auto where = net::address::local_of(each.door.get());
        if (!where) return failure(where.error());
        places.push_back(*where);
        first.push_back(std::move(each.door));
    }
    shares_.emplace_back(*this, 0, std::move(first));
    const unsigned shards = workers_of(settings().workers);
    for (unsigned i = 1; i < shards; ++i) {
        std::vector<unique_fd> more;
        for (const auto& where : places) {
            auto another = net::listen(where, {.share_port = true});
            if (!another) return failure(another.error());
            more.push_back(std::move(*another));
        }
        shares_.emplace_back(*this, i, std::move(more));
    }
    for (auto& each : shares_) all_.push_back(&each);
    return {};
}

void event::client_served() noexcept {
    ++counting().accepted;
    const std::uint64_t now = ++clients_;
    trimmer().note(now);
    auto& most = counting().most;
    for (std::uint64_t seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
    }
}

void event::client_ended() noexcept {
    ++counting().ended;
    trimmer().note(--clients_);
}

event::share& event::least_busy(share& accepting) const noexcept {
    if (!settings().spread_evenly) return accepting;
    share* least = &accepting;
    for (share* each : all_) {
        if (each->clients() < least->clients()) least = each;
    }
    return *least;
}

void event::pass_on(stage now) noexcept {
    for (auto& each : shares_) each.stop(now);
}

std::vector<std::uint64_t> event::spread() const {
    std::vector<std::uint64_t> all;
    for (const auto& each : shares_) all.push_back(each.accepted());
    return all;
}

}  // namespace sluice::model
