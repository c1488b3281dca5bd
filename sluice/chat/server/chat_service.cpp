// Implements chat_service: the hub of each shard, its periodic sweep and its drain.
#include "sluice/chat/server/chat_service.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string_view>
#include <utility>

#include "sluice/chat/server/hub.hpp"
#include "sluice/chat/server/names.hpp"
#include "sluice/chat/server/serve_member.hpp"
#include "sluice/io/deadline.hpp"

namespace sluice::chat {
namespace {

// In flight between shards; above it, no shard reads from its members.
constexpr std::size_t max_windows_in_flight = 4;
constexpr std::string_view farewell = "* the server is going down";
// In bytes: messages between shards do not shrink with the window.
constexpr std::size_t min_in_flight = std::size_t{1} << 20;

limits with_window_for_a_line(limits l) noexcept {
    // A line with its control characters escaped must fit a window.
    l.window = std::max(l.window, 8 * l.max_line);
    return l;
}

}  // namespace

/// The hub of one shard; draining closes it.
class chat_service::shard final : public model::shard_state {
 public:
    shard(chat_service& owner, const model::shard_place& place)
        : hub_{place.engine,
               place.index,
               owner.options_.allowed,
               owner.directory_,
               owner.relay_,
               owner.options_.seen,
               owner.counters_[place.index],
               owner.options_.accounts} {
        hub_.set_access_log(owner.options_.access);
    }

    coro::task<void> serve(model::accepted_connection client) override {
        return serve_member(hub_, std::move(client));
    }

    coro::task<void> run() override {
        for (;;) {
            const auto interval = std::max<io::duration>(hub_.allowed().write_deadline.get() / 4,
                                                         std::chrono::milliseconds{10});
            auto slept = co_await io::sleep_for(hub_.engine(), interval);
            if (!slept) co_return;
            hub_.sweep();
        }
    }

    void drain() noexcept override { hub_.close(farewell); }

    void sessions_ended() noexcept override { hub_.stop_sending(); }

 private:
    hub hub_;
};

chat_service::chat_service(const options& o)
    : options_{o},
      relay_{o.shards, std::max(min_in_flight,
                                max_windows_in_flight * with_window_for_a_line(o.allowed).window)},
      counters_(o.shards) {
    options_.allowed = with_window_for_a_line(o.allowed);
    load_name_tables();
}

void chat_service::set_limits(const limits& l) noexcept {
    auto& now = options_.allowed;
    now.history = l.history;
    now.max_clients = l.max_clients;
    now.max_rooms = l.max_rooms;
    now.max_private = l.max_private;
    now.presence = l.presence;
    now.rate = l.rate;
    now.burst = l.burst;
    now.command_rate = l.command_rate;
    now.command_burst = l.command_burst;
    now.write_deadline = l.write_deadline;
}

model::state_factory chat_service::state() {
    return
        [this](const model::shard_place& place) { return std::make_unique<shard>(*this, place); };
}

counters chat_service::counted() const noexcept {
    counters sum;
    for (const auto& each : counters_) sum += each;
    return sum;
}

}  // namespace sluice::chat
