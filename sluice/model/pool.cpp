// Implements the pool model: sessions, those that are parked, and the threads that run them.
#include "sluice/model/pool.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <new>
#include <optional>
#include <thread>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/session_engine.hpp"
#include "sluice/model/small_engine.hpp"
#include "sluice/model/small_thread.hpp"

namespace sluice::model {
namespace {

// Events carry the number of a session; those of the wakeup fd and the timer fd belong to none.
constexpr std::uint64_t wakeup_number = 0;
constexpr std::uint64_t timer_number = ~std::uint64_t{0};

// Before a thread tries again to allocate its buffers.
constexpr auto memory_pause = std::chrono::milliseconds{50};

}  // namespace

/// A session's wait while no thread runs it. Under the pool's lock.
struct pool::parked : heap_hook<parked> {
    explicit parked(runnable& s) noexcept : owner{s} {}
    friend bool operator<(const parked& a, const parked& b) noexcept { return a.until < b.until; }

    runnable& owner;
    bool active = true;
    io::time_point until = io::never;
};

/// The session of one client. Belongs to the thread that runs it, and to the pool while it is
/// parked.
class pool::runnable : public list_hook<runnable_tag>, io::message {
 public:
    runnable(pool& owner, std::uint64_t number, arrival client)
        : message{[](message& m) noexcept { destroy(static_cast<runnable&>(m)); }},
          owner_{owner},
          number_{number},
          arrived_{std::move(client)},
          engine_{*owner.slots_, *owner.events_, number, &wake, this},
          root_{engine_.ready()},
          drain_context_{root_},
          running_{root_} {}

    /// Runs until it waits, is over, or has had its turns. True if it can go on.
    bool run(std::unique_ptr<io::buffer_pool>& buffers) noexcept {
        engine_.begin_run(buffers);
        if (!client_) begin();
        engine_.run();
        engine_.end_run(buffers);
        return engine_.is_due();
    }
    [[nodiscard]] bool ended() const noexcept { return running_.size() == 0; }
    /// True if the client has sent bytes that were not read yet.
    [[nodiscard]] bool has_input() noexcept {
        pollfd each{.fd = fd(), .events = POLLIN, .revents = 0};
        return ::poll(&each, 1, 0) > 0 && (each.revents & POLLIN) != 0;
    }
    /// The stage of the stop that it knows.
    [[nodiscard]] stage stop_stage() const noexcept { return stop_stage_; }
    void stop(stage now) noexcept {
        stop_stage_ = now;
        if (now >= stage::draining) drain_context_.cancel();
        if (now == stage::ending) root_.cancel();
    }
    /// Posts it to the server's engine, where it is destroyed.
    static void post_to_owner(std::unique_ptr<runnable> s) noexcept {
        pool& owner = s->owner_;
        owner.engine().post(*s.release());
    }

    [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
    [[nodiscard]] io::session_engine& engine() noexcept { return engine_; }
    parked wait{*this};

 private:
    void begin() noexcept {
        const int fd = arrived_.socket.get();
        client_.emplace(engine_, std::move(arrived_.socket), drain_context_);
        engine_.mark_registered(fd);
        client_->peer().set_nodelay();
        // Without memory for its coroutine, the client is closed.
        static_cast<void>(running_.spawn(serve_client()));
    }
    coro::task<void> serve_client() {
        if (auto served = co_await (*arrived_.serve)(*client_).outcome(); !served) {
            report_lost(owner_.log(), client_->peer(), served.error());
        }
        co_await client_->peer().close();
    }
    [[nodiscard]] int fd() noexcept {
        return client_ ? client_->peer().fd() : arrived_.socket.get();
    }
    static void wake(void* self) noexcept {
        auto& s = *static_cast<runnable*>(self);
        s.owner_.wake(s);
    }
    static void destroy(runnable& s) noexcept {
        pool& owner = s.owner_;
        const std::size_t endpoint = s.arrived_.endpoint;
        std::unique_ptr<runnable>{&s}.reset();
        owner.client_left(endpoint);
    }

    pool& owner_;
    std::uint64_t number_;
    arrival arrived_;
    io::session_engine engine_;
    coro::context root_;
    coro::context drain_context_;
    coro::scope running_;
    std::optional<session> client_;
    stage stop_stage_ = stage::serving;
};

/// A thread of the pool. Posts itself to the server's engine when it has ended.
class pool::worker : io::message {
 public:
    explicit worker(pool& owner)
        : message{[](message& m) noexcept { static_cast<worker&>(m).ended_ = true; }},
          owner_{owner} {}

    [[nodiscard]] result<void> start(std::size_t stack) noexcept {
        return thread_.start(stack, [this] { work(); });
    }
    /// The server's thread: waits for its end.
    void join() noexcept {
        owner_.engine().block_until(ended_);
        thread_.join();
    }

 private:
    void work() noexcept {
        while (runnable* s = owner_.next()) serve(*s);
        buffers_.reset();
        owner_.engine().post(*this);
    }
    void serve(runnable& s) noexcept {
        // A request that was in the socket when draining began is answered; the next request is not
        // waited for, however soon it comes.
        bool has_request = owner_.published_stage_ == stage::draining &&
                           s.stop_stage() == stage::serving && s.has_input();
        for (;;) {
            get_buffers();
            if (!std::exchange(has_request, false)) s.stop(owner_.published_stage_);
            const bool can_go_on = s.run(buffers_);
            if (s.ended()) return owner_.finish(s);
            if (owner_.park(s, can_go_on)) return;
        }
    }
    void get_buffers() noexcept {
        while (buffers_ == nullptr) {
            try {
                buffers_ = std::make_unique<io::buffer_pool>(small_buffers, no_waiters_);
            } catch (const std::bad_alloc&) {
                report_shortage(owner_.log(), error::system(ENOMEM));
                std::this_thread::sleep_for(memory_pause);
            }
        }
    }

    pool& owner_;
    small_thread thread_;
    // Stays empty: a session without a buffer fails instead of waiting (session_engine).
    coro::resumable_list no_waiters_;
    std::unique_ptr<io::buffer_pool> buffers_;
    bool ended_ = false;
};

pool::pool(io::engine& engine, std::vector<endpoint> endpoints, server_options o)
    : server{engine, std::move(endpoints), std::move(o)} {}

pool::~pool() = default;

coro::task<result<void>> pool::serve() {
    if (auto opened = open(); !opened) co_return opened;
    if (auto started = start_workers(); !started) co_return started;
    ready();
    result<void> end;
    for (;;) {
        auto client = co_await next_client();
        if (!client && should_retry(client.error())) {
            co_await io::sleep_for(engine(), retry_interval);
            continue;
        }
        if (!client) {
            end = failure(client.error());
            break;
        }
        if (auto begun = begin(std::move(*client)); !begun) {
            report_shortage(log(), begun.error());
        }
    }
    if (now() == stage::serving) stop();
    for (auto& each : workers_) each.join();
    wait_for_clients();
    co_return end;
}

result<void> pool::open() {
    slots_.emplace();
    auto events = io::epoll::create();
    if (!events) return failure(events.error());
    events_.emplace(std::move(*events));
    wakeup_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wakeup_) return failure_of(errno);
    timer_fd_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (!timer_fd_) return failure_of(errno);
    if (auto added = events_->add(timer_fd_.get(), EPOLLIN, timer_number); !added) return added;
    return events_->add(wakeup_.get(), EPOLLIN, wakeup_number);
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

result<void> pool::begin(arrival client) {
    const std::lock_guard lock{mutex_};
    const auto number = next_number_++;
    const int fd = client.socket.get();
    const std::size_t endpoint = client.endpoint;
    runnable* made = nullptr;
    try {
        auto owned = std::make_unique<runnable>(*this, number, std::move(client));
        made = owned.get();
        runnables_.emplace(number, std::move(owned));
    } catch (const std::bad_alloc&) {
        return failure_of(ENOMEM);
    }
    // The socket is writable, so a thread takes it up at once: the service may send first.
    auto added = events_->add(fd, EPOLLIN | EPOLLOUT | EPOLLONESHOT, number);
    if (!added) {
        runnables_.erase(number);
        return added;
    }
    notified_.push_back(*made);
    client_came(endpoint);
    return {};
}

pool::runnable* pool::next() noexcept {
    for (;;) {
        if (published_stage_ != stage::serving) {
            if (runnable* s = claim_not_notified()) return s;
            const std::lock_guard lock{mutex_};
            if (closed_) return nullptr;
        }
        std::array<epoll_event, 1> event{};
        const auto n = events_->wait(event, io::never);
        if (!n || *n == 0 || event[0].data.u64 == wakeup_number) continue;
        const auto number = event[0].data.u64;
        if (runnable* s = number == timer_number ? claim_late() : claim(number)) return s;
    }
}

pool::runnable* pool::claim(std::uint64_t number) noexcept {
    const std::lock_guard lock{mutex_};
    const auto found = runnables_.find(number);
    // Another thread, woken by the timer or a stop, may have been faster, and the client gone.
    if (found == runnables_.end() || !unpark(*found->second)) return nullptr;
    return found->second.get();
}

pool::runnable* pool::claim_late() noexcept {
    const std::lock_guard lock{mutex_};
    std::uint64_t expirations = 0;
    static_cast<void>(::read(timer_fd_.get(), &expirations, sizeof expirations));
    timer_deadline_ = io::never;
    runnable* late = nullptr;
    if (const parked* first = deadlines_.least();
        first != nullptr && first->until <= io::clock::now()) {
        late = &first->owner;
        static_cast<void>(unpark(*late));
    }
    // The next may be late already, and is another thread's then.
    if (const parked* next = deadlines_.least()) set_timer(next->until);
    return late;
}

pool::runnable* pool::claim_not_notified() noexcept {
    const std::lock_guard lock{mutex_};
    while (!not_notified_.empty()) {
        runnable& s = not_notified_.pop_front();
        notified_.push_back(s);
        // A running session learns of the stop when it would be parked.
        if (unpark(s)) return &s;
    }
    // Until it is read, it wakes every thread.
    std::uint64_t count = 0;
    if (!closed_) static_cast<void>(::read(wakeup_.get(), &count, sizeof count));
    return nullptr;
}

bool pool::unpark(runnable& s) noexcept {
    deadlines_.remove(s.wait);
    return std::exchange(s.wait.active, false);
}

// Not set later when the session that asked for it has gone on: it then fires once for none.
void pool::set_timer(io::time_point when) noexcept {
    using namespace std::chrono;
    if (when >= timer_deadline_) return;
    timer_deadline_ = when;
    // All zeros would disarm it.
    const auto at = std::max(duration_cast<nanoseconds>(when.time_since_epoch()), nanoseconds{1});
    const auto whole = duration_cast<seconds>(at);
    const itimerspec once{.it_interval = {},
                          .it_value = {.tv_sec = whole.count(), .tv_nsec = (at - whole).count()}};
    ::timerfd_settime(timer_fd_.get(), TFD_TIMER_ABSTIME, &once, nullptr);
}

void pool::wait_until(runnable& s, io::time_point when) noexcept {
    s.wait.until = when;
    if (when == io::never) return;
    deadlines_.push(s.wait);
    set_timer(when);
}

bool pool::park(runnable& s, bool can_go_on) noexcept {
    const std::lock_guard lock{mutex_};
    if (s.stop_stage() < published_stage_) return false;
    // A message may have come meanwhile, whose sender found nothing to wake.
    can_go_on = can_go_on || s.engine().is_due();
    if (!can_go_on && !s.engine().watch()) return false;
    s.wait.active = true;
    // A session that can go on has its next turns behind those that are late already.
    wait_until(s, can_go_on ? io::clock::now() : s.engine().until());
    return true;
}

void pool::wake(runnable& s) noexcept {
    const std::lock_guard lock{mutex_};
    if (!s.wait.active) return;
    deadlines_.remove(s.wait);
    wait_until(s, io::clock::now());
}

void pool::finish(runnable& s) noexcept {
    std::unique_ptr<runnable> last;
    {
        const std::lock_guard lock{mutex_};
        const auto found = runnables_.find(s.number());
        last = std::move(found->second);
        runnables_.erase(found);
        last->list_hook<runnable_tag>::unlink();
        close_if_empty();
    }
    runnable::post_to_owner(std::move(last));
}

void pool::pass_on(stage now) noexcept {
    const std::lock_guard lock{mutex_};
    published_stage_ = now;
    not_notified_.take_all(notified_);
    close_if_empty();
    wake_workers();
}

void pool::close_if_empty() noexcept {
    if (published_stage_ == stage::serving || !runnables_.empty()) return;
    closed_ = true;
    wake_workers();
}

void pool::wake_workers() noexcept {
    const std::uint64_t one = 1;
    if (wakeup_) static_cast<void>(::write(wakeup_.get(), &one, sizeof one));
}

}  // namespace sluice::model
