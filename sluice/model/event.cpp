// Implements the event model: shards, each with its listeners and sessions.
#include "sluice/model/event.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iterator>
#include <optional>
#include <utility>

#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/shard.hpp"
#include "sluice/model/announced.hpp"
#include "sluice/model/hand_over.hpp"
#include "sluice/model/memory_trimmer.hpp"
#include "sluice/model/serve_connection.hpp"
#include "sluice/model/stop_relay.hpp"
#include "sluice/net/address.hpp"
#include "sluice/net/linger_reset.hpp"
#include "sluice/net/listener.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::model {
namespace {

using namespace std::chrono_literals;

}  // namespace

/// One shard's listeners and sessions. Posts itself to the server's engine when it has ended.
class event::share final : io::message, admitter {
 public:
    share(event& owner, std::size_t number, std::vector<numbered_listener> listeners)
        : message{[](message& m) noexcept { static_cast<share&>(m).ended_ = true; }},
          owner_{owner},
          number_{number},
          listeners_{std::move(listeners)},
          counts_(owner.endpoints().size()),
          stop_relay_{
              [this](stage now) { (now == stage::draining ? *drain_context_ : *root_).cancel(); }},
          from_others_{[this](hand_over::client c) { serve_here(std::move(c)); }} {}

    [[nodiscard]] result<void> start() {
        auto options = owner_.options().shards;
        if (owner_.options().publishes_loops) options.published = &loop_;
        auto started =
            io::shard::start({.kind = owner_.options().engine, .engine = options, .cpu = {}},
                             [this](io::engine& engine) { return run(engine); });
        if (!started) return failure(started.error());
        shard_ = std::move(*started);
        return {};
    }
    void stop(stage now) noexcept { stop_relay_.request(now); }
    /// The server's thread: waits for its end. The error that ended accepting, if one did.
    [[nodiscard]] result<void> join() noexcept {
        owner_.engine().block_until(ended_);
        shard_->join();
        return outcome_;
    }
    [[nodiscard]] std::uint64_t accepted() const noexcept { return accepted_; }
    /// The same: what it counts.
    [[nodiscard]] shard_counts counts() const noexcept {
        return {.clients = counts_, .loop = owner_.options().publishes_loops ? &loop_ : nullptr};
    }
    /// Any thread.
    [[nodiscard]] std::size_t clients() const noexcept { return clients_; }
    /// The server's thread, while it serves: whether the shard has had a turn since the last call.
    [[nodiscard]] bool has_turned() noexcept {
        if (turn_.pending.exchange(true)) return false;
        shard_->engine().post(turn_);
        return true;
    }
    /// Any thread. False if it does not serve now: the caller keeps `client`.
    [[nodiscard]] bool take_over(hand_over::client& client) noexcept {
        // Counted before it is on its way, so that a burst is spread over the shards.
        ++clients_;
        if (from_others_.give(client)) return true;
        --clients_;
        return false;
    }

 private:
    struct turn_message : io::message {
        turn_message() noexcept
            : message{
                  [](io::message& m) noexcept { static_cast<turn_message&>(m).pending = false; }} {}
        std::atomic<bool> pending = false;
    };

    /// Makes the server's thread end the serving.
    struct failure_message : io::message {
        explicit failure_message(event& e) noexcept
            : message{[](io::message& m) noexcept {
                  event& owner = static_cast<failure_message&>(m).owner;
                  if (owner.now() == stage::serving) owner.stop();
              }},
              owner{e} {}
        event& owner;
    };

    coro::task<void> run(io::engine& engine) {
        root_.emplace(co_await coro::this_context());
        drain_context_.emplace(*root_);
        engine_ = &engine;
        trimmer_.emplace(engine, owner_.shards_);
        stop_relay_.attach(engine);
        const bool states_made = make_states();
        if (!states_made) owner_.all_ready_.abandon();
        if (co_await owner_.all_ready_.arrive(engine)) {
            co_await serve_all(engine);
            for (const auto& each : states_) {
                if (each) each->sessions_ended();
            }
            // Other shards may send to a state until the last sessions_ended(); all of that has
            // been delivered when all shards have passed the second barrier.
            static_cast<void>(co_await owner_.all_drained_.arrive(engine));
            static_cast<void>(co_await owner_.all_delivered_.arrive(engine));
        }
        states_.clear();
        co_await release(engine);
        owner_.engine().post(*this);
    }

    bool make_states() noexcept {
        try {
            for (const auto& each : owner_.endpoints()) {
                auto& state = states_.emplace_back();
                if (each.state) state = each.state({*engine_, number_, *drain_context_});
            }
        } catch (const std::bad_alloc&) {
            fail(error::system(ENOMEM));
        }
        return outcome_.has_value();
    }

    /// Ends the serving of all shards.
    void fail(error why) noexcept {
        if (!outcome_) return;
        outcome_ = failure(why);
        owner_.engine().post(failed_);
    }

    coro::task<void> serve_all(io::engine& engine) {
        coro::scope clients{*root_, coro::siblings::go_on};
        served_ = &clients;
        from_others_.open(engine);
        coro::scope acceptors{*drain_context_};
        const auto begin = [&](coro::task<void> task) {
            if (acceptors.spawn(std::move(task))) return;
            fail(error::system(ENOMEM));
            acceptors.cancel();
        };
        for (std::size_t i = 0; i < listeners_.size(); ++i)
            begin(run_listener(engine, i, acceptors));
        for (const auto& each : states_) {
            if (each) begin(each->run());
        }
        co_await acceptors.join();
        for (auto& each : from_others_.close()) serve_here(std::move(each));
        // The turn's end comes first, at which states post what they have for other shards: all
        // that was done before the stop arrives before any state drains.
        static_cast<void>(co_await io::sleep_until{engine, io::clock::now()});
        static_cast<void>(co_await owner_.all_draining_.arrive(engine));
        if (owner_.has_successor()) co_await wait_for_leaving(engine);
        for (const auto& each : states_) {
            if (each) each->drain();
        }
        co_await clients.join();
        served_ = nullptr;
    }

    /// Until the sessions of all shards have ended by themselves, for they may go on through this
    /// one's state, or most of the grace is over.
    coro::task<void> wait_for_leaving(io::engine& engine) {
        const auto until = io::after(io::clock::now(), owner_.options().grace * 4 / 5);
        while (owner_.clients_ > 0 && io::clock::now() < until) {
            const auto slept = co_await io::sleep_for(engine, 20ms);
            if (!slept) co_return;
        }
    }

    coro::task<void> run_listener(io::engine& engine, std::size_t which, coro::scope& acceptors) {
        const std::size_t number = listeners_[which].endpoint;
        const auto how = states_[number] ? io::accepting::ahead : io::accepting::one_by_one;
        net::listener listener{engine, std::move(listeners_[which].socket), how};
        listener.on_shortage([this](error why) { report_shortage(owner_.log(), why); });
        const auto ended = co_await accept_all(listener, number);
        owner_.counting().shed += listener.counted().shed;
        // Had the kernel not accepted them ahead, another process would.
        // As many as may be served: the others are for the successor.
        std::size_t kept_free = 0;
        if (owner_.has_successor()) {
            listener.keep_left([this, number, &kept_free] {
                const bool has_room = owner_.limits_[number].try_acquire();
                kept_free += has_room ? 1 : 0;
                return has_room;
            });
        }
        co_await listener.close();
        for (; kept_free > 0; --kept_free) owner_.limits_[number].release();
        take_ahead(listener, number);
        if (ended || ended.error() == fault::cancelled) co_return;
        fail(ended.error());
        acceptors.cancel();
    }

    void take_ahead(net::listener& listener, std::size_t number) {
        for (auto& each : listener.take_left()) {
            const auto peer = net::address::peer_of(each.get());
            const bool is_from_proxy = owner_.is_from_proxy(peer);
            std::optional<address_limit::permit> permit{std::in_place};
            if (!is_from_proxy) permit = owner_.admit(number, each.get(), peer);
            if (!permit) continue;
            // A service that limits itself, as others do not accept ahead: its permits are endless.
            if (!owner_.limits_[number].try_acquire()) continue;
            hand_over::client arrived{
                .socket = std::move(each), .listener = number, .permit = std::move(*permit)};
            if (!is_from_proxy) {
                ++clients_;
                serve_here(std::move(arrived));
            } else if (owner_.header_limits_[number].try_acquire()) {
                // It is served if its header is there: while draining, none is waited for.
                serve_announced(std::move(arrived));
            } else {
                owner_.limits_[number].release();
            }
        }
    }

    coro::task<result<void>> accept_all(net::listener& listener, std::size_t number) {
        connection_limit& permits = owner_.limits_[number];
        for (;;) {
            // Waits until a permit is free, and takes it when a client has come: a shard that waits
            // keeps no permit from the others.
            auto slot = co_await permits.until_free(listener.engine());
            if (!slot) co_return slot;
            auto socket = co_await listener.accept();
            if (!socket && socket.error().is(ENOMEM)) {
                report_shortage(owner_.log(), socket.error());
                auto slept = co_await io::sleep_for(listener.engine(), retry_interval);
                if (!slept) co_return slept;
                continue;
            }
            if (!socket) co_return failure(socket.error());
            const auto peer = listener.peer_of(socket->get());
            const bool is_from_proxy = owner_.is_from_proxy(peer);
            std::optional<address_limit::permit> permit{std::in_place};
            if (!is_from_proxy) permit = owner_.admit(number, socket->get(), peer);
            if (!permit) continue;
            slot = co_await permits.acquire(listener.engine());
            // A stop that comes with a client does not lose it.
            if (!slot && !permits.try_acquire()) co_return slot;
            hand_over::client arrived{
                .socket = std::move(*socket), .listener = number, .permit = std::move(*permit)};
            if (!is_from_proxy) {
                serve_anywhere(std::move(arrived));
                continue;
            }
            slot = co_await owner_.header_limits_[number].acquire(listener.engine());
            if (!slot) {
                permits.release();
                co_return slot;
            }
            serve_announced(std::move(arrived));
        }
    }

    /// For a connection of a trusted proxy that holds a permit of both limits.
    void serve_announced(hand_over::client arrived) noexcept {
        const std::size_t number = arrived.listener;
        if (served_->spawn(receive_header(std::move(arrived)))) return;
        // Without memory for its coroutine, the client is closed.
        owner_.header_limits_[number].release();
        owner_.limits_[number].release();
    }

    /// Serves a connection of a trusted proxy, once it is known whose it is.
    coro::task<void> receive_header(hand_over::client arrived) {
        announcement said;
        auto receiving =
            receive_announcement(*engine_, arrived.socket.get(), said,
                                 io::after(io::clock::now(), owner_.options().header_time));
        receiving.set_context(*drain_context_);
        const auto end = co_await receiving;
        owner_.header_limits_[arrived.listener].release();
        arrived.announced = said.client();
        auto permit = owner_.admit_announced(arrived.listener, arrived.socket.get(), end,
                                             said.why(), arrived.announced.get());
        if (permit) {
            arrived.permit = std::move(*permit);
            serve_anywhere(std::move(arrived));
        } else {
            owner_.limits_[arrived.listener].release();
        }
    }

    void serve_anywhere(hand_over::client arrived) noexcept {
        if (share& least = owner_.least_busy(*this); &least != this) {
            if (least.take_over(arrived)) return;
        }
        ++clients_;
        serve_here(std::move(arrived));
    }

    void serve_here(hand_over::client client) noexcept {
        accepted_.fetch_add(1, std::memory_order_relaxed);
        ++counts_[client.listener].accepted;
        owner_.client_served();
        trimmer_->update(clients_);
        trace_shard(client);
        admission permits{*this, client.listener, std::move(client.permit)};
        const auto& state = states_[client.listener];
        const auto& over = owner_.endpoints()[client.listener].over;
        if (state) report_coming(owner_.log(), client.announced, client.socket.get());
        // Without memory for its coroutine, the client is closed.
        static_cast<void>(served_->spawn(
            state ? state->serve({.socket = std::move(client.socket),
                                  .permits = std::move(permits),
                                  .over = over.context == nullptr ? nullptr : &over,
                                  .drain = &*drain_context_,
                                  .announced = std::move(client.announced)})
                  : serve_connection(*engine_, std::move(client.socket), *drain_context_,
                                     owner_.endpoints()[client.listener].serve, owner_.log(),
                                     std::move(permits), std::move(client.announced))));
    }
    void trace_shard(const hand_over::client& client) noexcept {
        owner_.log().detail(event_log::level::trace, [this, &client] {
            const auto from = address_of(client.announced, client.socket.get());
            return fmt::format("{} is served by shard {}, as one of {}",
                               from ? from->to_string() : std::string{"a client"}, number_,
                               clients_.load());
        });
    }
    void release(std::size_t endpoint) noexcept override {
        trimmer_->update(--clients_);
        owner_.log().detail(event_log::level::trace, [this] {
            return fmt::format("shard {} serves {} clients", number_, clients_.load());
        });
        ++counts_[endpoint].ended;
        owner_.client_ended();
        owner_.limits_[endpoint].release();
    }

    /// Waits until no message to this engine is pending.
    coro::task<void> release(io::engine& engine) {
        coro::context uncancelled{engine.ready()};
        while (turn_.pending || !from_others_.idle() || !stop_relay_.try_detach()) {
            auto wait = pause(engine);
            wait.set_context(uncancelled);
            co_await wait;
        }
        trimmer_.reset();
        drain_context_.reset();
        root_.reset();
    }
    static coro::task<void> pause(io::engine& engine) { co_await io::sleep_for(engine, 1ms); }

    event& owner_;
    std::size_t number_;
    std::vector<numbered_listener> listeners_;
    std::vector<client_counts> counts_;  // by endpoint
    io::loop_counters loop_;
    std::vector<std::unique_ptr<shard_state>> states_;  // by endpoint; may be null
    failure_message failed_{owner_};
    turn_message turn_;
    stop_relay stop_relay_;
    hand_over from_others_;
    io::engine* engine_ = nullptr;
    std::optional<memory_trimmer> trimmer_;
    coro::scope* served_ = nullptr;         // while clients are served
    std::atomic<std::size_t> clients_ = 0;  // including clients on their way
    std::optional<coro::context> root_;
    std::optional<coro::context> drain_context_;
    std::atomic<std::uint64_t> accepted_ = 0;
    result<void> outcome_;
    bool ended_ = false;
    std::unique_ptr<io::shard> shard_;
};

event::event(io::engine& engine, std::vector<endpoint> endpoints, server_options o)
    : server{engine, std::move(endpoints), std::move(o)},
      shards_{workers_of(options().workers)},
      all_ready_{shards_},
      all_draining_{shards_},
      all_drained_{shards_},
      all_delivered_{shards_} {
    for (const auto& each : this->endpoints()) {
        limits_.emplace_back(each.state ? UINT32_MAX : options().max_clients);
        header_limits_.emplace_back(options().max_clients);
    }
}

event::~event() = default;

void event::limits_changed() noexcept {
    for (std::size_t i = 0; i < limits_.size(); ++i) {
        if (!endpoints()[i].state) limits_[i].set_most(options().max_clients);
        header_limits_[i].set_most(options().max_clients);
    }
}

coro::task<result<void>> event::serve() {
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
    // The started shards wait for all.
    if (!idle.empty()) all_ready_.abandon();
    if (now() == stage::serving) ready();
    for (auto& each : shares_) {
        auto ended = each.join();
        if (!ended && ended.error() != fault::cancelled) end = ended;
    }
    co_return end;
}

result<void> event::open_listeners() {
    std::vector<std::vector<numbered_listener>> of_shards(shards_);
    for (std::size_t number = 0; number < endpoints().size(); ++number) {
        auto& each = endpoints()[number];
        std::vector<unique_fd> sockets;
        sockets.push_back(std::move(each.listener));
        std::ranges::move(each.more, std::back_inserter(sockets));
        if (auto done = each.is_complete ? share_sockets(sockets) : open_more(sockets); !done)
            return done;
        for (std::size_t i = 0; i < sockets.size(); ++i)
            of_shards[i % shards_].push_back({number, std::move(sockets[i])});
    }
    for (unsigned i = 0; i < shards_; ++i) shares_.emplace_back(*this, i, std::move(of_shards[i]));
    for (auto& each : shares_) all_.push_back(&each);
    return {};
}

// Each with a port of its own, so that the kernel spreads the connections.
result<void> event::open_more(std::vector<unique_fd>& sockets) const {
    const auto where = net::address::local_of(sockets.front().get());
    if (!where) return failure(where.error());
    while (sockets.size() < shards_) {
        auto another = net::listen(*where, {.share_port = true});
        if (!another) return failure(another.error());
        sockets.push_back(std::move(*another));
    }
    return {};
}

// Two shards that accept at one socket each have a descriptor of it.
result<void> event::share_sockets(std::vector<unique_fd>& sockets) const {
    const std::size_t given = sockets.size();
    while (sockets.size() < shards_) {
        const int from = sockets[sockets.size() % given].get();
        unique_fd another{os::sys().fcntl(from, F_DUPFD_CLOEXEC, 0)};
        if (!another) return failure_of(-another.get());
        sockets.push_back(std::move(another));
    }
    return {};
}

bool event::has_turned() noexcept {
    if (now() != stage::serving) return true;
    bool all = true;
    // Each is asked, whatever the others say.
    for (auto& each : shares_) all = each.has_turned() && all;
    return all;
}

void event::client_served() noexcept {
    ++counting().accepted;
    const std::uint64_t now = ++clients_;
    auto& most = counting().most;
    for (std::uint64_t seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
    }
}

void event::client_ended() noexcept {
    ++counting().ended;
    --clients_;
}

event::share& event::least_busy(share& accepting) const noexcept {
    if (!options().spread_evenly) return accepting;
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

std::vector<shard_counts> event::by_shard() const {
    std::vector<shard_counts> all;
    all.reserve(all_.size());
    for (const auto* each : all_) all.push_back(each->counts());
    return all;
}

}  // namespace sluice::model
