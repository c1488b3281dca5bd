// Implements the thread model: starts, stops and joins a thread per client.
#include "sluice/model/thread.hpp"

#include <fmt/format.h>

#include <iterator>
#include <optional>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/io/run.hpp"
#include "sluice/model/serve_connection.hpp"
#include "sluice/model/small_engine.hpp"
#include "sluice/model/stop_relay.hpp"
#include "sluice/os/thread.hpp"

namespace sluice::model {

/// A client and its thread. Posts itself to the server's engine when the thread is done.
class thread::client_thread : io::message {
 public:
    client_thread(thread& owner, arrival client)
        : message{[](message& m) noexcept { static_cast<client_thread&>(m).on_exit(); }},
          owner_{owner},
          client_{std::move(client)},
          stop_relay_{[this](stage now) {
              (now == stage::draining ? *drain_context_ : *root_).cancel();
          }} {}

    [[nodiscard]] result<void> start(std::size_t stack) noexcept {
        return thread_.start([this] { serve(); }, stack);
    }
    void stop(stage now) noexcept { stop_relay_.request(now); }
    [[nodiscard]] std::size_t endpoint() const noexcept { return client_.endpoint; }
    void set_position(std::list<client_thread>::iterator position) noexcept {
        position_ = position;
    }

 private:
    void serve() noexcept {
        if (auto engine = make_small_engine()) {
            root_.emplace((*engine)->ready());
            drain_context_.emplace(*root_);
            stop_relay_.attach(**engine);
            auto served =
                io::try_run(**engine,
                            serve_connection(**engine, std::move(client_.socket), *drain_context_,
                                             *client_.serve, owner_.log(), nothing{},
                                             std::move(client_.announced)),
                            *root_);
            if (!served) report_shortage(owner_.log(), served.error());
            stop_relay_.detach();
            drain_context_.reset();
            root_.reset();
        } else {
            owner_.log().report(event_kind::shortage, [&engine] {
                return fmt::format("a client was turned away, for its thread has no engine: {}",
                                   engine.error().message());
            });
            client_.socket.reset();
        }
        owner_.engine().post(*this);
    }
    void on_exit() noexcept {
        thread_.join();
        thread& owner = owner_;
        const std::size_t number = endpoint();
        owner.client_threads_.erase(position_);
        owner.client_left(number);
    }

    thread& owner_;
    arrival client_;
    os::thread thread_;
    std::optional<coro::context> root_;
    std::optional<coro::context> drain_context_;
    stop_relay stop_relay_;
    std::list<client_thread>::iterator position_;
};

thread::thread(io::engine& engine, std::vector<endpoint> endpoints, server_options o)
    : server{engine, std::move(endpoints), std::move(o)} {}

thread::~thread() {
    check(client_threads_.empty(), "a server is destroyed before its client threads have ended");
}

coro::task<result<void>> thread::serve() {
    ready();
    auto end =
        co_await receive_clients([this](arrival client) { return receive(std::move(client)); });
    wait_for_clients();
    co_return end;
}

coro::task<result<void>> thread::receive(arrival client) {
    client_threads_.emplace_back(*this, std::move(client));
    const auto position = std::prev(client_threads_.end());
    position->set_position(position);
    client_came(position->endpoint());
    for (;;) {
        const auto started = position->start(options().stack);
        if (started) co_return result<void>{};
        log().report(event_kind::thread, [&started] {
            return fmt::format("no thread can be started ({}): the client waits until one can",
                               started.error().message());
        });
        ++counting().retries;
        const auto again = co_await pause().outcome();
        if (!again || !*again) break;
    }
    const std::size_t number = position->endpoint();
    client_threads_.erase(position);
    client_left(number);
    co_return result<void>{};
}

void thread::pass_on(stage now) noexcept {
    for (auto& each : client_threads_) each.stop(now);
}

}  // namespace sluice::model
