// Implements the pool model: the sessions, and the threads that run them.
#include "sluice/model/pool.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <new>
#include <optional>
#include <utility>

#include "sluice/coro/scope.hpp"
#include "sluice/io/mailbox.hpp"
#include "sluice/io/ops/poll.hpp"
#include "sluice/model/small_engine.hpp"
#include "sluice/os/thread.hpp"

namespace sluice::model {
namespace {

// Before a thread tries again to allocate its buffers.
constexpr auto memory_pause = std::chrono::milliseconds{50};

}  // namespace

/// The session of one client, which owns itself once it is in the set. As a message to the server's
/// engine it is destroyed there.
class pool::runnable : public io::session_set::entry, public io::message {
 public:
    runnable(pool& owner, arrival client)
        : entry{*owner.sessions_},
          message{[](message& m) noexcept { destroy(static_cast<runnable&>(m)); }},
          owner_{owner},
          arrived_{std::move(client)},
          root_{engine().ready()},
          drain_context_{root_},
          running_{root_} {}

    /// Runs until it waits, is over, or has had its turns. True if it can go on.
    bool run(std::unique_ptr<io::buffer_pool>& buffers) noexcept {
        engine().begin_run(buffers);
        if (!client_) begin();
        engine().run();
        engine().end_run(buffers);
        return engine().is_due();
    }
    [[nodiscard]] bool ended() const noexcept { return running_.size() == 0; }
    /// True if the client has sent bytes that were not read yet, or has ended.
    [[nodiscard]] bool has_input() noexcept {
        if (client_) return client_->peer().is_readable();
        return io::poll::poll_now(arrived_.socket.get(), io::interest::in) == 0;
    }
    /// The stage of the stop that it knows.
    [[nodiscard]] stage stop_stage() const noexcept { return static_cast<stage>(known()); }
    void stop(stage now) noexcept {
        learn(static_cast<unsigned>(now));
        if (now >= stage::draining) drain_context_.cancel();
        if (now == stage::ending) root_.cancel();
    }

 private:
    void begin() noexcept {
        const int fd = arrived_.socket.get();
        client_.emplace(engine(), std::move(arrived_.socket), drain_context_,
                        std::move(arrived_.announced));
        engine().mark_registered(fd);
        client_->peer().set_nodelay();
        // Without memory for its coroutine, the client is closed.
        static_cast<void>(running_.spawn(serve_client()));
    }
    coro::task<void> serve_client() {
        report_coming(owner_.log(), *client_);
        if (auto served = co_await (*arrived_.serve)(*client_).outcome(); !served) {
            report_lost(owner_.log(), *client_, served.error());
        }
        report_going(owner_.log(), *client_);
        co_await client_->peer().close();
    }
    static void destroy(runnable& s) noexcept {
        pool& owner = s.owner_;
        const std::size_t endpoint = s.arrived_.endpoint;
        std::unique_ptr<runnable>{&s}.reset();
        owner.client_left(endpoint);
    }

    pool& owner_;
    arrival arrived_;
    coro::context root_;
    coro::context drain_context_;
    coro::scope running_;
    std::optional<session> client_;
};

/// A thread of the pool. Posts itself to the server's engine when it has ended.
class pool::worker : io::message {
 public:
    explicit worker(pool& owner)
        : message{[](message& m) noexcept { static_cast<worker&>(m).ended_ = true; }},
          owner_{owner} {}

    [[nodiscard]] result<void> start(std::size_t stack) noexcept {
        return thread_.start([this] { work(); }, stack);
    }
    /// The server's thread: waits for its end.
    void join() noexcept {
        owner_.engine().block_until(ended_);
        thread_.join();
    }

 private:
    void work() noexcept {
        while (auto* s = sessions().next()) serve(static_cast<runnable&>(*s));
        buffers_.reset();
        owner_.engine().post(*this);
    }
    void serve(runnable& s) noexcept {
        // A request that was in the socket when draining began is answered; the next request is not
        // waited for, however soon it comes.
        bool has_request = published_stage() == stage::draining &&
                           s.stop_stage() == stage::serving && s.has_input();
        for (;;) {
            get_buffers();
            if (!std::exchange(has_request, false)) s.stop(published_stage());
            const bool can_go_on = s.run(buffers_);
            if (s.ended()) {
                sessions().remove(s);
                return owner_.engine().post(s);
            }
            if (sessions().park(s, can_go_on)) return;
        }
    }
    void get_buffers() noexcept {
        while (buffers_ == nullptr) {
            try {
                buffers_ = std::make_unique<io::buffer_pool>(small_buffers, no_waiters_);
            } catch (const std::bad_alloc&) {
                report_shortage(owner_.log(), error::system(ENOMEM));
                os::sleep_for(memory_pause);
            }
        }
    }

    [[nodiscard]] io::session_set& sessions() noexcept { return *owner_.sessions_; }
    [[nodiscard]] stage published_stage() noexcept {
        return static_cast<stage>(sessions().notice());
    }

    pool& owner_;
    os::thread thread_;
    // Stays empty: a session without a buffer fails instead of waiting (session_engine).
    coro::resumable_list no_waiters_;
    std::unique_ptr<io::buffer_pool> buffers_;
    bool ended_ = false;
};

pool::pool(io::engine& engine, std::vector<endpoint> endpoints, server_options o)
    : server{engine, std::move(endpoints), std::move(o)} {}

pool::~pool() = default;

coro::task<result<void>> pool::serve() {
    auto made = io::session_set::create();
    if (!made) co_return failure(made.error());
    sessions_ = std::move(*made);
    if (auto started = start_workers(); !started) co_return started;
    ready();
    auto end =
        co_await receive_clients([this](arrival client) { return receive(std::move(client)); });
    if (now() == stage::serving) stop();
    for (auto& each : workers_) each.join();
    wait_for_clients();
    co_return end;
}

result<void> pool::start_workers() {
    for (unsigned i = 0; i < workers_of(options().workers); ++i) {
        auto& each = workers_.emplace_back(*this);
        auto started = each.start(options().stack);
        if (started) continue;
        workers_.pop_back();
        log().report(event_kind::thread, fmt::format("only {} threads can be started ({})", i,
                                                     started.error().message()));
        if (i == 0) return started;
        break;
    }
    return {};
}

coro::task<result<void>> pool::receive(arrival client) {
    const int fd = client.socket.get();
    const std::size_t endpoint = client.endpoint;
    try {
        auto made = std::make_unique<runnable>(*this, std::move(client));
        if (auto added = sessions_->add(*made, fd); !added) co_return added;
        static_cast<void>(made.release());
    } catch (const std::bad_alloc&) {
        co_return failure_of(ENOMEM);
    }
    client_came(endpoint);
    co_return result<void>{};
}

void pool::pass_on(stage now) noexcept {
    if (sessions_) sessions_->notify(static_cast<unsigned>(now));
}

}  // namespace sluice::model
