// Starts, stops and joins a thread a client.
#include "sluice/model/thread.hpp"

#include <fmt/format.h>

#include <iterator>
#include <optional>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/run.hpp"
#include "sluice/model/attend.hpp"
#include "sluice/model/small_engine.hpp"
#include "sluice/model/small_thread.hpp"
#include "sluice/model/stop_cord.hpp"

namespace sluice::model {

/// One client and its thread. The letter goes home when the thread has nothing left to do.
class thread::visit : io::letter {
 public:
    visit(thread& owner, arrival client)
        : letter{[](letter& l) noexcept { static_cast<visit&>(l).over(); }},
          owner_{owner},
          client_{std::move(client)},
          cord_{[this](stage now) { (now == stage::draining ? *patience_ : *root_).cancel(); }} {}

    /// The errno of pthread_create(3).
    [[nodiscard]] result<void> start(std::size_t stack) noexcept {
        return thread_.start(stack, [this] { serve(); });
    }
    void stop(stage now) noexcept { cord_.pull(now); }
    [[nodiscard]] std::size_t entrance() const noexcept { return client_.entrance; }
    void stand_at(std::list<visit>::iterator place) noexcept { place_ = place; }

 private:
    void serve() noexcept {
        if (auto here = make_small_engine()) {
            root_.emplace((*here)->ready());
            patience_.emplace(*root_);
            cord_.tie(**here);
            auto served = io::try_run(**here,
                                      attend(**here, std::move(client_.socket), *patience_,
                                             *client_.serve, owner_.told()),
                                      *root_);
            if (!served) tell_shortage(owner_.told(), served.error());
            cord_.untie();
            patience_.reset();
            root_.reset();
        } else {
            owner_.told().tell(trouble::shortage, [&here] {
                return fmt::format("a client was turned away, for its thread has no engine: {}",
                                   here.error().message());
            });
            client_.socket.reset();
        }
        owner_.home().post(*this);
    }
    void over() noexcept {
        thread_.join();
        thread& owner = owner_;
        const std::size_t from = entrance();
        owner.visits_.erase(place_);
        owner.client_left(from);
    }

    thread& owner_;
    arrival client_;
    small_thread thread_;
    std::optional<coro::context> root_;
    std::optional<coro::context> patience_;
    stop_cord cord_;
    std::list<visit>::iterator place_;
};

thread::thread(io::engine& home, std::vector<entrance> entrances, options o)
    : server{home, std::move(entrances), std::move(o)} {}

thread::~thread() {
    check(visits_.empty(), "a server dies with threads");
}

coro::task<result<void>> thread::serve() {
    ready();
    for (;;) {
        auto client = co_await next_client();
        if (!client && survives(client.error())) {
            co_await io::sleep_for(home(), retry_interval);
            continue;
        }
        if (!client) {
            see_all_off();
            co_return failure(client.error());
        }
        const auto received = co_await receive(std::move(*client));
        if (!received) tell_shortage(told(), received.error());
    }
}

coro::task<result<void>> thread::receive(arrival client) {
    visits_.emplace_back(*this, std::move(client));
    const auto place = std::prev(visits_.end());
    place->stand_at(place);
    client_came(place->entrance());
    for (;;) {
        const auto started = place->start(settings().stack);
        if (started) co_return result<void>{};
        told().tell(trouble::thread, [&started] {
            return fmt::format("no thread can be started ({}): the client waits until one can",
                               started.error().message());
        });
        ++counting().retries;
        const auto again = co_await pause().outcome();
        if (!again || !*again) break;
    }
    const std::size_t from = place->entrance();
    visits_.erase(place);
    client_left(from);
    co_return result<void>{};
}

void thread::pass_on(stage now) noexcept {
    for (auto& each : visits_) each.stop(now);
}

}  // namespace sluice::model
