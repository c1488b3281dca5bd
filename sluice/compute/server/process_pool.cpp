// Implements process_pool: the askers' side, and the supervisor's loop.
#include "sluice/compute/server/process_pool.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/compute/server/pool_member.hpp"
#include "sluice/io/mailbox.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::compute {
namespace {

// Before the supervisor asks for memory once more.
constexpr auto memory_pause = std::chrono::milliseconds{50};

}  // namespace

/// Awaits the answer to one question; lives in the asker's frame.
struct process_pool::exchange : request, io::letter, coro::cancel_hook, coro::resumable {
    exchange(process_pool& p, io::engine& e, std::string text, question_context& c)
        : request{std::move(text), c,
                  [](request& r) noexcept {
                      auto& self = static_cast<exchange&>(r);
                      self.engine.post(self);
                  }},
          letter{[](letter& l) noexcept { static_cast<exchange&>(l).come_home(); }},
          cancel_hook{[](cancel_hook& h) noexcept {
              auto& self = static_cast<exchange&>(h);
              if (!self.pool.withdraw(self)) return;
              self.outcome = failure(fault::cancelled);
              self.come_home();
          }},
          pool{p},
          engine{e} {}

    [[nodiscard]] static bool await_ready() noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
        coro::context& here = h.promise().current_context();
        if (here.cancelled()) return false;
        set_waiter(h);
        if (auto submitted = pool.submit(*this); !submitted) {
            outcome = failure(submitted.error());
            return false;
        }
        here.watch(*this);
        if (!engine.blocks()) return true;
        engine.block_until(home);
        return false;
    }
    [[nodiscard]] result<std::string> await_resume() noexcept {
        cancel_hook::unlink();
        return std::move(outcome);
    }
    void come_home() noexcept {
        home = true;
        if (!engine.blocks()) engine.ready().push(*this);
    }

    process_pool& pool;
    io::engine& engine;
    bool home = false;
};

std::expected<std::unique_ptr<process_pool>, std::string> process_pool::make(
    process_pool_options o) {
    check(!o.command.empty() && o.count > 0, "a pool needs a command and a number");
    if (!can_be_run(o.command.front())) {
        return std::unexpected{fmt::format(
            "there is no program '{}' that can be run; give a path, or a name that is in PATH",
            wire::printable(o.command.front()))};
    }
    return std::unique_ptr<process_pool>{new process_pool{std::move(o)}};
}

process_pool::process_pool(process_pool_options o) : options_{std::move(o)} {}

process_pool::~process_pool() {
    const auto now = io::clock::now();
    stop(now, now);
    join();
}

void process_pool::start() {
    const std::lock_guard lock{mutex_};
    if (started_ || stop_at_ <= io::clock::now()) return;
    if (!bell_) bell_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!bell_) return;
    try {
        supervisor_ = std::thread{[this] { supervise(); }};
        started_ = true;
    } catch (const std::system_error&) {
        // The next question tries again.
        return;
    }
}

coro::task<result<std::string>> process_pool::ask(io::engine& here, std::string question,
                                                  question_context& of) {
    start();
    co_return co_await exchange{*this, here, std::move(question), of};
}

result<void> process_pool::submit(request& r) {
    const std::lock_guard lock{mutex_};
    if (!started_ || stopped_) return failure(fault::closed);
    if (queue_.size() >= options_.queue + at_rest()) return failure(fault::queue_full);
    r.asked = io::clock::now();
    r.until = io::after(r.asked, options_.deadline);
    r.place = queue_.insert(queue_.end(), &r);
    ring();
    return {};
}

bool process_pool::withdraw(request& r) noexcept {
    const std::lock_guard lock{mutex_};
    if (r.finished) return false;
    r.finished = true;
    if (r.with == nullptr) {
        queue_.erase(r.place);
    } else {
        r.with->for_whom = nullptr;
        r.with->abandoned_at = io::clock::now();
    }
    ring();
    return true;
}

void process_pool::stop(io::time_point when, io::time_point kill) noexcept {
    const std::lock_guard lock{mutex_};
    stop_at_ = std::min(stop_at_, when);
    kill_at_ = std::min(kill_at_, kill);
    ring();
}

void process_pool::join() noexcept {
    if (supervisor_.joinable()) supervisor_.join();
}

unsigned process_pool::running() const {
    const std::lock_guard lock{mutex_};
    return static_cast<unsigned>(serving());
}

void process_pool::ring() const noexcept {
    const std::uint64_t one = 1;
    if (bell_) static_cast<void>(::write(bell_.get(), &one, sizeof one));
}

void process_pool::supervise() {
    sigset_t all{};
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    for (bool over = false; !over;) {
        try {
            over = supervise_once();
        } catch (const std::bad_alloc&) {
            // What was to be said of a program may be lost; what is to be done is done again.
            std::this_thread::sleep_for(memory_pause);
        }
    }
}

bool process_pool::supervise_once() {
    auto next = io::never;
    bool over = false;
    std::vector<saying> say;
    {
        const std::lock_guard lock{mutex_};
        next = advance(io::clock::now());
        over = stopped_ && programs_.empty();
        say.swap(to_say_);
    }
    for (const auto& each : say) {
        const auto& to = each.trouble ? options_.trouble : options_.heard;
        if (to) to(each.what);
    }
    if (!over) wait(next);
    return over;
}

void process_pool::wait(io::time_point until) {
    constexpr std::size_t each_has = 4;
    std::vector<pollfd> watched{{.fd = bell_.get(), .events = POLLIN, .revents = 0}};
    // Only this thread adds programs or takes them away.
    for (const auto& m : programs_) {
        watched.push_back({.fd = m.program.output_to_watch(), .events = POLLIN, .revents = 0});
        watched.push_back({.fd = m.program.child().errors.get(), .events = POLLIN, .revents = 0});
        watched.push_back({.fd = m.program.input_to_watch(), .events = POLLOUT, .revents = 0});
        watched.push_back({.fd = m.program.child().pidfd.get(), .events = POLLIN, .revents = 0});
    }
    const timespec left = io::time_left(until);
    if (::ppoll(watched.data(), watched.size(), until == io::never ? nullptr : &left, nullptr) < 0)
        return;
    std::uint64_t rings = 0;
    static_cast<void>(::read(bell_.get(), &rings, sizeof rings));
    const std::lock_guard lock{mutex_};
    const auto now = io::clock::now();
    std::size_t i = 1;
    for (auto m = programs_.begin(); m != programs_.end(); i += each_has) {
        const auto here = m++;
        // An answer comes before the end of the one who gave it.
        if (watched[i].revents != 0) take_in(*here, here->program.on_output(now), now);
        if (watched[i + 1].revents != 0) hear(*here, false, now);
        if (watched[i + 2].revents != 0) take_in(*here, here->program.on_input(now), now);
        if (watched[i + 3].revents != 0) bury(here, now);
    }
}

io::time_point process_pool::advance(io::time_point now) {
    auto next = stop_at_;
    if (now >= stop_at_) {
        stopped_ = true;
        next = io::never;
    }
    expire_queue(now, next);
    for (auto& m : programs_) mind(m, now, next);
    revive(now, next);
    assign(now);
    return next;
}

void process_pool::expire_queue(io::time_point now, io::time_point& next) {
    for (auto each = queue_.begin(); each != queue_.end();) {
        request* r = *each++;
        if (stopped_ || r->until <= now) {
            queue_.erase(r->place);
            finish(r, failure(stopped_ ? fault::closed : fault::timed_out));
        } else {
            next = std::min(next, r->until);
        }
    }
}

void process_pool::assign(io::time_point now) {
    for (auto& m : programs_) {
        if (queue_.empty()) return;
        if (m.program.now() != line_program::phase::idle) continue;
        request& r = *queue_.front();
        queue_.pop_front();
        r.with = &m;
        r.of.queued = now - r.asked;
        m.for_whom = &r;
        m.program.give(r.question, now);
    }
}

void process_pool::finish(request*& r, result<std::string> outcome) noexcept {
    request& over = *std::exchange(r, nullptr);
    over.outcome = std::move(outcome);
    over.finished = true;
    // The asker's frame may be gone after this.
    over.notify(over);
}

std::size_t process_pool::serving() const noexcept {
    return static_cast<std::size_t>(std::ranges::count_if(programs_, [](const member& m) {
        return m.program.now() != line_program::phase::leaving;
    }));
}

std::size_t process_pool::at_rest() const noexcept {
    const auto idle = std::ranges::count_if(
        programs_, [](const member& m) { return m.program.now() == line_program::phase::idle; });
    // One that is started again at once is as good as one that runs.
    const auto missing = retry_ <= io::clock::now() ? options_.count - serving() : 0;
    return static_cast<std::size_t>(idle) + missing;
}

void process_pool::tell(std::string what) {
    to_say_.push_back({.trouble = true, .what = std::move(what)});
}

void process_pool::tell_some(io::time_point now, std::string what) {
    const auto left_out = said_.take(now);
    if (!left_out) return;
    if (*left_out > 0) what += fmt::format(" ({} more of such lines left out)", *left_out);
    tell(std::move(what));
}

}  // namespace sluice::compute
