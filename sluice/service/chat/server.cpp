// Starts the shards, lets members in, and brings everything to an end in order.
#include "sluice/service/chat/server.hpp"

#include <algorithm>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/remote.hpp"
#include "sluice/model/model.hpp"
#include "sluice/net/listener.hpp"
#include "sluice/service/chat/names.hpp"
#include "sluice/service/chat/session.hpp"

namespace sluice::service::chat {
namespace {

// Between the shards, before nobody is listened to for a moment.
constexpr std::size_t most_windows_under_way = 4;
// In bytes: small windows do not make letters smaller.
constexpr std::size_t least_under_way = std::size_t{1} << 20;

}  // namespace

server::post::post(unique_fd socket) noexcept
    : timer{[](io::timer& t) noexcept {
          auto& self = static_cast<post&>(t);
          if (self.members != nullptr) self.members->cancel();
      }},
      door{std::move(socket)} {}

/// Takes the end of a shard's patience for a stop.
struct server::heeding : coro::cancel_hook {
    heeding(server& s, post& p) noexcept
        : cancel_hook{[](cancel_hook& hook) noexcept {
              auto& self = static_cast<heeding&>(hook);
              self.owner.hear_stop(self.place);
          }},
          owner{s},
          place{p} {}
    server& owner;
    post& place;
};

server::server(std::vector<unique_fd> doors, options o)
    : options_{std::move(o)},
      troubles_{options_.troubles},
      by_address_{options_.allowed.max_per_address,
                  static_cast<std::uint32_t>(options_.allowed.max_clients)},
      relay_{options_.shards,
             std::max(least_under_way, most_windows_under_way * options_.allowed.window)},
      all_here_{options_.shards},
      all_served_{options_.shards},
      all_gone_{options_.shards} {
    check(doors.size() == options_.shards, "a chat has a door a shard");
    load_name_tables();
    for (auto& door : doors) posts_.push_back(std::make_unique<post>(std::move(door)));
}

server::~server() = default;

coro::task<result<void>> server::run(io::engine& home, std::function<void()> ready) {
    check(!home.blocks(), "a chat does not run on the blocking engine");
    home_ = &home;
    ready_ = std::move(ready);
    trimmer_.emplace(home);
    people_.on_count([this](std::size_t members) { trimmer_->note(members); });
    for (std::size_t i = 1; i < posts_.size(); ++i) {
        auto started =
            io::shard::start({.kind = home.which(), .engine = options_.engine, .cpu = {}},
                             [this, i](io::engine& there) { return serve(there, i, nullptr); });
        if (!started) {
            all_here_.abandon();
            shards_.clear();
            co_return failure(started.error());
        }
        shards_.push_back(std::move(*started));
    }
    co_await serve(home, 0, nullptr);
    for (auto& s : shards_) s->join();
    co_return result<void>{};
}

coro::task<void> server::live_on(io::engine& shard, std::size_t number, coro::context& patience) {
    if (number == 0) home_ = &shard;
    co_await serve(shard, number, &patience);
}

counters server::counted() const {
    counters sum;
    for (const auto& p : posts_) sum += p->counted;
    return sum;
}

void server::stop() noexcept {
    ++stops_;
    if (!errands_) return;
    for (auto& p : posts_) run_errand(tell(*p));
}

void server::run_errand(coro::task<void> errand) {
    check(errands_->spawn(std::move(errand)).has_value(), "no memory to stop a chat");
}

// Each shard deals with it on its own thread.
coro::task<void> server::tell(post& p) {
    static_cast<void>(co_await io::call_on(*home_, *p.home, [this, &p] {
        hear_stop(p);
        return true;
    }));
}

void server::hear_stop(post& p) noexcept {
    if (++p.stops > 1) return p.members->cancel();
    p.arrivals->cancel();
    p.here->close("* the server is going down");
    p.home->timers().arm(p, io::after(io::clock::now(), options_.grace));
}

void server::count(std::function<void(const counters&)> told) {
    if (errands_) return run_errand(add_up(std::move(told)));
    early_count_ = std::move(told);
}

coro::task<void> server::add_up(std::function<void(const counters&)> told) {
    counters sum;
    for (auto& p : posts_) {
        sum += co_await io::call_on(*home_, *p->home, [&p] { return p->here->counted(); });
    }
    told(sum);
}

coro::task<void> server::serve(io::engine& here, std::size_t index, coro::context* patience) {
    coro::context& everything = co_await coro::this_context();
    hub h{here, index, options_.allowed, people_, relay_, options_.seen};
    coro::context arrivals{everything};
    coro::scope members{everything};
    post& p = *posts_[index];
    p.home = &here;
    p.here = &h;
    p.arrivals = &arrivals;
    p.members = &members;
    if (!co_await all_here_.arrive(here)) co_return;
    heeding stops{*this, p};
    if (patience != nullptr && patience->cancelled()) {
        hear_stop(p);
    } else if (patience != nullptr) {
        patience->watch(stops);
    }
    if (index == 0) {
        errands_.emplace(everything);
        if (ready_) ready_();
        // Whoever stopped it before there was anything to stop is heard now.
        for (auto early = std::exchange(stops_, 0); early > 0; --early) stop();
        if (early_count_) count(std::exchange(early_count_, nullptr));
    }
    auto receiving = receive(p);
    receiving.set_context(arrivals);
    co_await receiving;
    co_await members.join();
    h.fall_silent();
    // Until the members of all shards are gone, somebody may ask for their end, or for counters.
    static_cast<void>(co_await all_served_.arrive(here));
    p.counted = h.counted();
    if (index == 0) {
        // What was asked of other shards has to come back before anybody goes.
        co_await errands_->join();
        errands_.reset();
    }
    static_cast<void>(co_await all_gone_.arrive(here));
    stops.unlink();
    here.timers().disarm(p);
}

coro::task<void> server::receive(post& p) {
    coro::scope sweeper{co_await coro::this_context()};
    check(sweeper.spawn(sweep(p)).has_value(), "no memory to look after a chat");
    net::listener door{*p.home, std::move(p.door)};
    door.on_shortage([this](error why) { model::tell_shortage(troubles_, why); });
    for (;;) {
        auto socket = co_await door.accept();
        if (!socket) break;
        auto permit = by_address_.admit(socket->get());
        if (!permit) {
            ++p.here->counted().refused;
            model::tell_refused(troubles_, socket->get());
            continue;
        }
        // Without memory for another member, its connection closes here.
        static_cast<void>(
            p.members->spawn(serve_member(*p.here, std::move(*socket), std::move(*permit))));
    }
    co_await door.close();
    sweeper.cancel();
    co_await sweeper.join();
}

coro::task<void> server::sweep(post& p) {
    const auto interval =
        std::max<io::duration>(options_.allowed.write_deadline / 4, std::chrono::milliseconds{10});
    while (co_await io::sleep_for(*p.home, interval)) p.here->sweep();
}

}  // namespace sluice::service::chat
