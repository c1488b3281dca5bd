// The room, those who wait in it, and the threads that serve them.
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
#include <optional>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/model/small_engine.hpp"
#include "sluice/model/small_thread.hpp"
#include "sluice/model/stop_cord.hpp"

namespace sluice::model {
namespace {

// The room's events carry the number of a seat; those of the bell and the alarm are nobody's.
constexpr std::uint64_t bell_number = 0;
constexpr std::uint64_t alarm_number = ~std::uint64_t{0};

}  // namespace

/// A client's stay in the room. Under the pool's lock.
struct pool::stay : heap_hook<stay> {
    explicit stay(seat& s) noexcept : who{s} {}
    friend bool operator<(const stay& a, const stay& b) noexcept { return a.until < b.until; }

    seat& who;
    bool lasts = true;
    io::time_point until = io::never;
};

/// One client, from the first time a thread takes it up to the last. Belongs to the thread that
/// serves it, and to the room while it waits there.
class pool::seat : io::letter {
 public:
    seat(pool& owner, std::uint64_t number, arrival client)
        : letter{[](letter& l) noexcept { gone(static_cast<seat&>(l)); }},
          owner_{owner},
          number_{number},
          arrived_{std::move(client)},
          everything_{queue_},
          patience_{everything_},
          running_{everything_} {}

    /// Serves until it waits for the client's next words, or is over.
    void go_on(io::engine& here) noexcept {
        if (client_) {
            client_->peer().come_to(here);
            client_->take_waiter().resume();
        } else {
            client_.emplace(here, std::move(arrived_.socket), patience_, true);
            client_->peer().send_promptly();
            // Without memory for it, the client is closed.
            static_cast<void>(running_.spawn(visit()));
        }
        if (!over()) client_->peer().leave_home();
    }
    [[nodiscard]] bool over() const noexcept { return running_.size() == 0; }
    /// Whether the client has sent what was not read yet.
    [[nodiscard]] bool has_words() noexcept {
        pollfd each{.fd = fd(), .events = POLLIN, .revents = 0};
        return ::poll(&each, 1, 0) > 0 && (each.revents & POLLIN) != 0;
    }
    void stop(stage now) noexcept {
        if (now >= stage::draining) patience_.cancel();
        if (now == stage::ending) everything_.cancel();
    }
    /// Sends it home, where it dies.
    static void send_off(std::unique_ptr<seat> s) noexcept {
        pool& owner = s->owner_;
        owner.home().post(*s.release());
    }

    [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
    [[nodiscard]] io::time_point waits_until() const noexcept { return client_->waits_until(); }
    [[nodiscard]] int fd() noexcept {
        return client_ ? client_->peer().fd() : arrived_.socket.get();
    }
    stay parked{*this};

 private:
    coro::task<void> visit() {
        co_await (*arrived_.serve)(*client_);
        co_await client_->peer().close();
    }
    static void gone(seat& s) noexcept {
        pool& owner = s.owner_;
        const std::unique_ptr<seat> last{&s};
        owner.client_left();
    }

    pool& owner_;
    std::uint64_t number_;
    arrival arrived_;
    coro::ready_queue queue_;
    coro::context everything_;
    coro::context patience_;
    coro::scope running_;
    std::optional<guest> client_;
};

/// One thread. The letter goes home when it has ended.
class pool::worker : io::letter {
 public:
    explicit worker(pool& owner)
        : letter{[](letter& l) noexcept { static_cast<worker&>(l).ended_ = true; }},
          owner_{owner},
          cord_{[this](stage now) {
              if (current_ != nullptr) current_->stop(now);
          }} {}

    [[nodiscard]] result<void> start(std::size_t stack) noexcept {
        auto engine = make_small_engine();
        if (!engine) return failure(engine.error());
        here_ = std::move(*engine);
        return thread_.start(stack, [this] { work(); });
    }
    void stop(stage now) noexcept { cord_.pull(now); }
    /// Home's thread: waits for its end.
    void join() noexcept {
        owner_.home().block_until(ended_);
        thread_.join();
    }

 private:
    void work() noexcept {
        cord_.tie(*here_);
        while (seat* s = owner_.next()) {
            current_ = s;
            serve(*s);
            current_ = nullptr;
        }
        cord_.untie();
        owner_.home().post(*this);
    }
    void serve(seat& s) noexcept {
        // What lay in the socket when the end was asked for has been asked, and is answered; the
        // next question is not waited for, however soon it comes.
        bool asked = owner_.shown_stage_ == stage::draining && s.has_words();
        for (;;) {
            if (!std::exchange(asked, false)) s.stop(owner_.shown_stage_);
            s.go_on(*here_);
            if (s.over()) return owner_.leave(s);
            if (owner_.park(s)) return;
        }
    }

    pool& owner_;
    small_thread thread_;
    std::unique_ptr<io::engine> here_;
    stop_cord cord_;
    seat* current_ = nullptr;
    bool ended_ = false;
};

pool::pool(io::engine& home, std::vector<entrance> entrances, options o)
    : server{home, std::move(entrances), std::move(o)} {}

pool::~pool() = default;

coro::task<result<void>> pool::serve() {
    if (auto opened = open_room(); !opened) co_return opened;
    if (auto started = start_workers(); !started) co_return started;
    ready();
    result<void> end;
    for (;;) {
        auto client = co_await next_client();
        if (!client) {
            end = failure(client.error());
            break;
        }
        if (auto seated = seat_down(std::move(*client)); !seated) {
            tell_shortage(told(), seated.error());
        }
    }
    if (now() == stage::serving) stop();
    for (auto& each : workers_) each.join();
    see_all_off();
    co_return end;
}

result<void> pool::open_room() noexcept {
    auto room = io::epoll::create();
    if (!room) return failure(room.error());
    room_.emplace(std::move(*room));
    bell_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!bell_) return failure_of(errno);
    alarm_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (!alarm_) return failure_of(errno);
    if (auto added = room_->add(alarm_.get(), EPOLLIN, alarm_number); !added) return added;
    return room_->add(bell_.get(), EPOLLIN, bell_number);
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

result<void> pool::seat_down(arrival client) {
    const std::lock_guard lock{mutex_};
    const auto number = next_number_++;
    const int fd = client.socket.get();
    seats_.emplace(number, std::make_unique<seat>(*this, number, std::move(client)));
    // It can be written to, so somebody takes it up at once: the service may have the first word.
    auto added = room_->add(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLONESHOT, number);
    if (!added) {
        seats_.erase(number);
        return added;
    }
    client_came();
    return {};
}

pool::seat* pool::next() noexcept {
    for (;;) {
        if (shown_stage_ != stage::serving) return claim_any();
        std::array<epoll_event, 1> event{};
        const auto n = room_->wait(event, io::never);
        if (!n || *n == 0 || event[0].data.u64 == bell_number) continue;
        const auto number = event[0].data.u64;
        if (seat* s = number == alarm_number ? claim_late() : claim(number)) return s;
    }
}

pool::seat* pool::claim(std::uint64_t number) noexcept {
    const std::lock_guard lock{mutex_};
    const auto found = seats_.find(number);
    // Whoever drains or was called by the alarm may have been faster, and the client gone since.
    if (found == seats_.end() || !take_up(*found->second)) return nullptr;
    return found->second.get();
}

pool::seat* pool::claim_late() noexcept {
    const std::lock_guard lock{mutex_};
    std::uint64_t rung = 0;
    static_cast<void>(::read(alarm_.get(), &rung, sizeof rung));
    alarm_at_ = io::never;
    seat* late = nullptr;
    if (const stay* first = hurried_.least();
        first != nullptr && first->until <= io::clock::now()) {
        late = &first->who;
        static_cast<void>(take_up(*late));
    }
    // The next may be late already, and is another thread's then.
    if (const stay* next = hurried_.least()) set_alarm(next->until);
    return late;
}

pool::seat* pool::claim_any() noexcept {
    const std::lock_guard lock{mutex_};
    for (auto& [number, s] : seats_) {
        if (take_up(*s)) return s.get();
    }
    return nullptr;
}

bool pool::take_up(seat& s) noexcept {
    hurried_.remove(s.parked);
    return std::exchange(s.parked.lasts, false);
}

// It is not set later when who asked for it has gone on: it rings for nobody then, once.
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

bool pool::park(seat& s) noexcept {
    const std::lock_guard lock{mutex_};
    if (shown_stage_ != stage::serving) return false;
    s.parked.lasts = true;
    s.parked.until = s.waits_until();
    if (s.parked.until != io::never) {
        hurried_.push(s.parked);
        set_alarm(s.parked.until);
    }
    const auto watched = room_->modify(s.fd(), EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, s.number());
    check(watched.has_value(), "a client cannot wait in the room");
    return true;
}

void pool::leave(seat& s) noexcept {
    std::unique_ptr<seat> last;
    {
        const std::lock_guard lock{mutex_};
        const auto found = seats_.find(s.number());
        last = std::move(found->second);
        seats_.erase(found);
    }
    seat::send_off(std::move(last));
}

void pool::pass_on(stage now) noexcept {
    {
        const std::lock_guard lock{mutex_};
        shown_stage_ = now;
    }
    for (auto& each : workers_) each.stop(now);
    const std::uint64_t one = 1;
    if (bell_) static_cast<void>(::write(bell_.get(), &one, sizeof one));
}

}  // namespace sluice::model
