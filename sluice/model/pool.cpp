// The sessions of a pool, those of them that wait, and the threads that run them.
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

// Events carry the number of a session; those of the bell and the alarm belong to none.
constexpr std::uint64_t bell_number = 0;
constexpr std::uint64_t alarm_number = ~std::uint64_t{0};

// Before a thread asks once more for memory for its buffers.
constexpr auto memory_pause = std::chrono::milliseconds{50};

}  // namespace

/// A session's wait while no thread runs it. Under the pool's lock.
struct pool::parked : heap_hook<parked> {
    explicit parked(session& s) noexcept : who{s} {}
    friend bool operator<(const parked& a, const parked& b) noexcept { return a.until < b.until; }

    session& who;
    bool lasts = true;
    io::time_point until = io::never;
};

/// One client, from the first time a thread takes it up to the last. Belongs to the thread that
/// runs it, and to the pool while it is parked.
class pool::session : public list_hook<session_tag>, io::letter {
 public:
    session(pool& owner, std::uint64_t number, arrival client)
        : letter{[](letter& l) noexcept { gone(static_cast<session&>(l)); }},
          owner_{owner},
          number_{number},
          arrived_{std::move(client)},
          engine_{*owner.slots_, *owner.events_, number, &wake, this},
          everything_{engine_.ready()},
          patience_{everything_},
          running_{everything_} {}

    /// Runs until it waits, is over, or has had its turns. True if it can go on.
    bool run(std::unique_ptr<io::buffer_pool>& buffers) noexcept {
        engine_.take_up(buffers);
        if (!client_) begin();
        engine_.run();
        engine_.lay_down(buffers);
        return engine_.is_due();
    }
    [[nodiscard]] bool over() const noexcept { return running_.size() == 0; }
    /// Whether the client has sent what was not read yet.
    [[nodiscard]] bool has_input() noexcept {
        pollfd each{.fd = fd(), .events = POLLIN, .revents = 0};
        return ::poll(&each, 1, 0) > 0 && (each.revents & POLLIN) != 0;
    }
    /// How far the stop is that it was told of.
    [[nodiscard]] stage told() const noexcept { return told_; }
    void stop(stage now) noexcept {
        told_ = now;
        if (now >= stage::draining) patience_.cancel();
        if (now == stage::ending) everything_.cancel();
    }
    /// Sends it home, where it dies.
    static void send_off(std::unique_ptr<session> s) noexcept {
        pool& owner = s->owner_;
        owner.home().post(*s.release());
    }

    [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
    [[nodiscard]] io::session_engine& engine() noexcept { return engine_; }
    parked wait{*this};

 private:
    void begin() noexcept {
        const int fd = arrived_.socket.get();
        client_.emplace(engine_, std::move(arrived_.socket), patience_);
        engine_.is_watched(fd);
        client_->peer().send_promptly();
        // Without memory for it, the client is closed.
        static_cast<void>(running_.spawn(visit()));
    }
    coro::task<void> visit() {
        if (auto served = co_await (*arrived_.serve)(*client_).outcome(); !served) {
            tell_lost(owner_.told(), client_->peer(), served.error());
        }
        co_await client_->peer().close();
    }
    [[nodiscard]] int fd() noexcept {
        return client_ ? client_->peer().fd() : arrived_.socket.get();
    }
    static void wake(void* self) noexcept {
        auto& s = *static_cast<session*>(self);
        s.owner_.wake(s);
    }
    static void gone(session& s) noexcept {
        pool& owner = s.owner_;
        const std::size_t entrance = s.arrived_.entrance;
        std::unique_ptr<session>{&s}.reset();
        owner.client_left(entrance);
    }

    pool& owner_;
    std::uint64_t number_;
    arrival arrived_;
    io::session_engine engine_;
    coro::context everything_;
    coro::context patience_;
    coro::scope running_;
    std::optional<guest> client_;
    stage told_ = stage::serving;
};

/// One thread. The letter goes home when it has ended.
class pool::worker : io::letter {
 public:
    explicit worker(pool& owner)
        : letter{[](letter& l) noexcept { static_cast<worker&>(l).ended_ = true; }},
          owner_{owner} {}

    [[nodiscard]] result<void> start(std::size_t stack) noexcept {
        return thread_.start(stack, [this] { work(); });
    }
    /// Home's thread: waits for its end.
    void join() noexcept {
        owner_.home().block_until(ended_);
        thread_.join();
    }

 private:
    void work() noexcept {
        while (session* s = owner_.next()) serve(*s);
        buffers_.reset();
        owner_.home().post(*this);
    }
    void serve(session& s) noexcept {
        // What lay in the socket when the end was asked for has been asked, and is answered; the
        // next question is not waited for, however soon it comes.
        bool asked =
            owner_.shown_stage_ == stage::draining && s.told() == stage::serving && s.has_input();
        for (;;) {
            get_buffers();
            if (!std::exchange(asked, false)) s.stop(owner_.shown_stage_);
            const bool can_go_on = s.run(buffers_);
            if (s.over()) return owner_.leave(s);
            if (owner_.park(s, can_go_on)) return;
        }
    }
    void get_buffers() noexcept {
        while (buffers_ == nullptr) {
            try {
                buffers_ = std::make_unique<io::buffer_pool>(small_buffers, nobody_);
            } catch (const std::bad_alloc&) {
                tell_shortage(owner_.told(), error::system(ENOMEM));
                std::this_thread::sleep_for(memory_pause);
            }
        }
    }

    pool& owner_;
    small_thread thread_;
    // Sessions wait for no buffer: what a session does not hold is free.
    coro::resumable_list nobody_;
    std::unique_ptr<io::buffer_pool> buffers_;
    bool ended_ = false;
};

pool::pool(io::engine& home, std::vector<entrance> entrances, options o)
    : server{home, std::move(entrances), std::move(o)} {}

pool::~pool() = default;

coro::task<result<void>> pool::serve() {
    if (auto opened = open(); !opened) co_return opened;
    if (auto started = start_workers(); !started) co_return started;
    ready();
    result<void> end;
    for (;;) {
        auto client = co_await next_client();
        if (!client && survives(client.error())) {
            co_await io::sleep_for(home(), retry_interval);
            continue;
        }
        if (!client) {
            end = failure(client.error());
            break;
        }
        if (auto begun = begin(std::move(*client)); !begun) {
            tell_shortage(told(), begun.error());
        }
    }
    if (now() == stage::serving) stop();
    for (auto& each : workers_) each.join();
    see_all_off();
    co_return end;
}

result<void> pool::open() {
    slots_.emplace();
    auto events = io::epoll::create();
    if (!events) return failure(events.error());
    events_.emplace(std::move(*events));
    bell_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!bell_) return failure_of(errno);
    alarm_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (!alarm_) return failure_of(errno);
    if (auto added = events_->add(alarm_.get(), EPOLLIN, alarm_number); !added) return added;
    return events_->add(bell_.get(), EPOLLIN, bell_number);
}

result<void> pool::start_workers() {
    for (unsigned i = 0; i < workers_of(settings().workers); ++i) {
        auto& each = workers_.emplace_back(*this);
        auto started = each.start(settings().stack);
        if (started) continue;
        workers_.pop_back();
        told().tell(trouble::thread, fmt::format("only {} threads can be started ({})", i,
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
    const std::size_t entrance = client.entrance;
    session* made = nullptr;
    try {
        auto owned = std::make_unique<session>(*this, number, std::move(client));
        made = owned.get();
        sessions_.emplace(number, std::move(owned));
    } catch (const std::bad_alloc&) {
        return failure_of(ENOMEM);
    }
    // It can be written to, so a thread takes it up at once: the service may send first.
    auto added = events_->add(fd, EPOLLIN | EPOLLOUT | EPOLLONESHOT, number);
    if (!added) {
        sessions_.erase(number);
        return added;
    }
    told_.push_back(*made);
    client_came(entrance);
    return {};
}

pool::session* pool::next() noexcept {
    for (;;) {
        if (shown_stage_ != stage::serving) {
            if (session* s = claim_untold()) return s;
            const std::lock_guard lock{mutex_};
            if (closed_) return nullptr;
        }
        std::array<epoll_event, 1> event{};
        const auto n = events_->wait(event, io::never);
        if (!n || *n == 0 || event[0].data.u64 == bell_number) continue;
        const auto number = event[0].data.u64;
        if (session* s = number == alarm_number ? claim_late() : claim(number)) return s;
    }
}

pool::session* pool::claim(std::uint64_t number) noexcept {
    const std::lock_guard lock{mutex_};
    const auto found = sessions_.find(number);
    // Another thread, called by the alarm or by a stop, may have been faster, and the client gone.
    if (found == sessions_.end() || !take_up(*found->second)) return nullptr;
    return found->second.get();
}

pool::session* pool::claim_late() noexcept {
    const std::lock_guard lock{mutex_};
    std::uint64_t rung = 0;
    static_cast<void>(::read(alarm_.get(), &rung, sizeof rung));
    alarm_at_ = io::never;
    session* late = nullptr;
    if (const parked* first = hurried_.least();
        first != nullptr && first->until <= io::clock::now()) {
        late = &first->who;
        static_cast<void>(take_up(*late));
    }
    // The next may be late already, and is another thread's then.
    if (const parked* next = hurried_.least()) set_alarm(next->until);
    return late;
}

pool::session* pool::claim_untold() noexcept {
    const std::lock_guard lock{mutex_};
    while (!untold_.empty()) {
        session& s = untold_.pop_front();
        told_.push_back(s);
        // One that runs hears of the stop when it would be parked.
        if (take_up(s)) return &s;
    }
    // Until then it calls every thread.
    std::uint64_t rings = 0;
    if (!closed_) static_cast<void>(::read(bell_.get(), &rings, sizeof rings));
    return nullptr;
}

bool pool::take_up(session& s) noexcept {
    hurried_.remove(s.wait);
    return std::exchange(s.wait.lasts, false);
}

// It is not set later when a session that asked for it has gone on: it rings for none then, once.
void pool::set_alarm(io::time_point when) noexcept {
    using namespace std::chrono;
    if (when >= alarm_at_) return;
    alarm_at_ = when;
    // All zeros would stop it.
    const auto at = std::max(duration_cast<nanoseconds>(when.time_since_epoch()), nanoseconds{1});
    const auto whole = duration_cast<seconds>(at);
    const itimerspec once{.it_interval = {},
                          .it_value = {.tv_sec = whole.count(), .tv_nsec = (at - whole).count()}};
    ::timerfd_settime(alarm_.get(), TFD_TIMER_ABSTIME, &once, nullptr);
}

void pool::wait_until(session& s, io::time_point when) noexcept {
    s.wait.until = when;
    if (when == io::never) return;
    hurried_.push(s.wait);
    set_alarm(when);
}

bool pool::park(session& s, bool can_go_on) noexcept {
    const std::lock_guard lock{mutex_};
    if (s.told() < shown_stage_) return false;
    // A letter may have come meanwhile, whose sender found nothing to wake.
    can_go_on = can_go_on || s.engine().is_due();
    if (!can_go_on && !s.engine().watch()) return false;
    s.wait.lasts = true;
    // One that can go on has its next turns behind those who are late already.
    wait_until(s, can_go_on ? io::clock::now() : s.engine().until());
    return true;
}

void pool::wake(session& s) noexcept {
    const std::lock_guard lock{mutex_};
    if (!s.wait.lasts) return;
    hurried_.remove(s.wait);
    wait_until(s, io::clock::now());
}

void pool::leave(session& s) noexcept {
    std::unique_ptr<session> last;
    {
        const std::lock_guard lock{mutex_};
        const auto found = sessions_.find(s.number());
        last = std::move(found->second);
        sessions_.erase(found);
        last->list_hook<session_tag>::unlink();
        close_if_empty();
    }
    session::send_off(std::move(last));
}

void pool::pass_on(stage now) noexcept {
    const std::lock_guard lock{mutex_};
    shown_stage_ = now;
    untold_.take_all(told_);
    close_if_empty();
    ring();
}

void pool::close_if_empty() noexcept {
    if (shown_stage_ == stage::serving || !sessions_.empty()) return;
    closed_ = true;
    ring();
}

void pool::ring() noexcept {
    const std::uint64_t one = 1;
    if (bell_) static_cast<void>(::write(bell_.get(), &one, sizeof one));
}

}  // namespace sluice::model
