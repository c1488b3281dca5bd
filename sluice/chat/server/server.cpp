// Starts the shards, lets members in, and brings everything to an end in order.
#include "sluice/chat/server/server.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <new>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/chat/server/names.hpp"
#include "sluice/chat/server/session.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/remote.hpp"
#include "sluice/model/model.hpp"
#include "sluice/net/listener.hpp"

namespace sluice::chat {
namespace {

// Between the shards, before nobody is listened to for a moment.
constexpr std::size_t most_windows_under_way = 4;
// In bytes: small windows do not make letters smaller.
constexpr std::size_t least_under_way = std::size_t{1} << 20;
// Before memory is asked for once more to accept somebody.
constexpr auto shortage_pause = std::chrono::milliseconds{50};

}  // namespace

server::post::stop_letter::stop_letter(server& s, post& p) noexcept
    : letter{[](io::letter& l) noexcept {
          auto& self = static_cast<stop_letter&>(l);
          self.owner.hear_stop(self.to);
      }},
      owner{s},
      to{p} {}

server::post::post(server& owner, unique_fd socket) noexcept
    : timer{[](io::timer& t) noexcept {
          auto& self = static_cast<post&>(t);
          if (self.members != nullptr) self.members->cancel();
      }},
      door{std::move(socket)},
      stop_letters{stop_letter{owner, *this}, stop_letter{owner, *this}} {}

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
    // No line that somebody says is longer than a window, its control characters written out.
    options_.allowed.window = std::max(options_.allowed.window, 8 * options_.allowed.max_line);
    load_name_tables();
    for (auto& door : doors) posts_.push_back(std::make_unique<post>(*this, std::move(door)));
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
                             [this, i](io::engine& there) { return stand(there, i, nullptr); });
        if (!started) {
            all_here_.abandon();
            shards_.clear();
            co_return failure(started.error());
        }
        shards_.push_back(std::move(*started));
    }
    auto served = co_await stand(home, 0, nullptr).outcome();
    for (auto& s : shards_) s->join();
    co_return served;
}

coro::task<void> server::live_on(io::engine& shard, std::size_t number, coro::context& patience) {
    if (number == 0) home_ = &shard;
    co_await stand(shard, number, &patience);
}

// Where one shard has no memory to begin, nobody is served.
coro::task<void> server::stand(io::engine& here, std::size_t index, coro::context* patience) {
    auto served = co_await serve(here, index, patience).outcome();
    if (served) co_return;
    all_here_.abandon();
    throw std::bad_alloc{};
}

counters server::counted() const {
    counters sum;
    for (const auto& p : posts_) sum += p->counted;
    return sum;
}

void server::stop() noexcept {
    const unsigned earlier = stops_++;
    if (!errands_ || earlier >= posts_.front()->stop_letters.size()) return;
    // Each shard deals with it on its own thread; none goes before all_gone_, which this one
    // reaches with errands_ reset, so that each letter arrives.
    for (auto& p : posts_) p->home->post(p->stop_letters.at(earlier));
}

void server::hear_stop(post& p) noexcept {
    if (++p.stops > 1) return p.members->cancel();
    p.arrivals->cancel();
    p.here->close("* the server is going down");
    p.home->timers().arm(p, io::after(io::clock::now(), options_.grace));
}

void server::count(std::function<void(const counters&)> told) {
    if (!errands_) {
        early_count_ = std::move(told);
    } else if (auto begun = errands_->spawn(add_up(std::move(told))); !begun) {
        troubles_.tell(model::trouble::memory, "no memory to add up what was counted");
    }
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
    coro::scope members{everything, coro::siblings::go_on};
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
    if (index == 0) begin(p, everything);
    auto receiving = receive(p);
    receiving.set_context(arrivals);
    if (auto received = co_await receiving.outcome(); !received) {
        model::tell_shortage(troubles_, received.error());
        if (p.stops == 0) hear_stop(p);
    }
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

// From here on all shards stand.
void server::begin(post& p, coro::context& everything) noexcept {
    errands_.emplace(everything, coro::siblings::go_on);
    // Whoever stopped it before there was anything to stop is heard now.
    const auto early = std::exchange(stops_, 0);
    try {
        if (ready_) ready_();
        if (early_count_) count(std::exchange(early_count_, nullptr));
    } catch (const std::bad_alloc&) {
        model::tell_shortage(troubles_, error::system(ENOMEM));
        hear_stop(p);
    }
    for (auto left = early; left > 0; --left) stop();
}

coro::task<void> server::receive(post& p) {
    net::listener door{*p.home, std::move(p.door)};
    coro::scope sweeper{co_await coro::this_context()};
    if (auto begun = sweeper.spawn(sweep(p)); !begun) throw std::bad_alloc{};
    door.on_shortage([this](error why) { model::tell_shortage(troubles_, why); });
    for (;;) {
        auto socket = co_await door.accept();
        if (!socket && socket.error().is(ENOMEM)) {
            model::tell_shortage(troubles_, socket.error());
            auto slept = co_await io::sleep_for(*p.home, shortage_pause);
            if (!slept) break;
            continue;
        }
        // One that had been accepted before the stop is closed as those in the backlog are.
        if (!socket || p.stops > 0) break;
        auto permit = by_address_.admit(socket->get());
        if (!permit) {
            ++p.here->counted().refused;
            model::tell_refused(troubles_, socket->get());
            continue;
        }
        // Without memory for another member, its connection closes here.
        auto begun =
            p.members->spawn(serve_member(*p.here, std::move(*socket), std::move(*permit)));
        if (!begun) {
            ++p.here->counted().refused;
            model::tell_shortage(troubles_, begun.error());
        }
    }
    co_await door.close();
    sweeper.cancel();
    co_await sweeper.join();
}

coro::task<void> server::sweep(post& p) {
    const auto interval =
        std::max<io::duration>(options_.allowed.write_deadline / 4, std::chrono::milliseconds{10});
    for (;;) {
        auto slept = co_await io::sleep_for(*p.home, interval);
        if (!slept) co_return;
        p.here->sweep();
    }
}

}  // namespace sluice::chat
