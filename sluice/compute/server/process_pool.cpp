// Implements process_pool: ask() and its queue, and the loop of the supervisor thread.
#include "sluice/compute/server/process_pool.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <new>
#include <span>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/compute/server/pool_member.hpp"
#include "sluice/io/mailbox.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::compute {
namespace {

// Before the supervisor retries after running out of memory.
constexpr std::chrono::milliseconds memory_pause{50};

}  // namespace

/// Awaits the answer to one question; lives in the frame of ask().
struct process_pool::exchange : request, io::message, coro::cancel_hook, coro::resumable {
    exchange(process_pool& p, io::engine& e, std::string text, question_context& c)
        : request{std::move(text), c,
                  [](request& r) noexcept {
                      auto& self = static_cast<exchange&>(r);
                      self.engine.post(self);
                  }},
          message{[](message& l) noexcept { static_cast<exchange&>(l).complete(); }},
          cancel_hook{[](cancel_hook& h) noexcept {
              auto& self = static_cast<exchange&>(h);
              if (!self.pool.withdraw(self)) return;
              self.outcome = failure(fault::cancelled);
              self.complete();
          }},
          pool{p},
          engine{e} {}
    exchange(const exchange&) = delete;
    exchange& operator=(const exchange&) = delete;
    ~exchange() {
        if (has_waiter()) [[unlikely]]
            abandon();
    }

    [[nodiscard]] static bool await_ready() noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
        coro::context& context = h.promise().current_context();
        if (context.cancelled()) return false;
        if (auto submitted = pool.submit(*this); !submitted) {
            outcome = failure(submitted.error());
            return false;
        }
        context.watch(*this);
        if (engine.blocks()) {
            engine.block_until(done);
            return false;
        }
        // Not too late: the answer is posted to this thread.
        set_waiter(h);
        return true;
    }
    [[nodiscard]] result<std::string> await_resume() noexcept {
        cancel_hook::unlink();
        return std::move(outcome);
    }
    // For a coroutine that is destroyed while it waits.
    void abandon() noexcept {
        if (!resumable::linked()) {
            check(pool.withdraw(*this),
                  "a coroutine is destroyed while the answer of a program is on its way to it");
        }
        resumable::unlink();
    }
    void complete() noexcept {
        done = true;
        if (!engine.blocks()) engine.ready().push(*this);
    }

    process_pool& pool;
    io::engine& engine;
    bool done = false;
};

std::expected<std::unique_ptr<process_pool>, std::string> process_pool::make(
    process_pool_options o) {
    check(!o.command.empty() && o.count > 0,
          "a process pool needs a command and at least one process");
    if (!os::can_be_run(o.command.front())) {
        return std::unexpected{fmt::format(
            "there is no program '{}' that can be run; give a path, or a name that is in PATH",
            wire::printable(o.command.front()))};
    }
    return std::unique_ptr<process_pool>{new process_pool{std::move(o)}};
}

process_pool::process_pool(process_pool_options o) : options_{std::move(o)} {}

process_pool::~process_pool() {
    stop_and_join({});
}

void process_pool::start() {
    const std::lock_guard lock{mutex_};
    if (started_ || stop_at_ <= io::clock::now()) return;
    if (!wakeup_) {
        auto made = os::wakeup::create();
        if (!made) return;
        wakeup_ = std::move(*made);
    }
    // Without a thread, the next question tries again.
    started_ = supervisor_.start([this] { supervise(); }).has_value();
}

coro::task<result<std::string>> process_pool::ask(io::engine& engine, std::string question,
                                                  question_context& state) {
    start();
    co_return co_await exchange{*this, engine, std::move(question), state};
}

result<void> process_pool::submit(request& r) {
    const std::lock_guard lock{mutex_};
    if (!started_ || stopped_) return failure(fault::closed);
    if (queue_.size() >= options_.queue + idle_count()) return failure(fault::queue_full);
    r.asked = io::clock::now();
    r.until = io::after(r.asked, options_.deadline);
    r.position = queue_.insert(queue_.end(), &r);
    wake();
    return {};
}

bool process_pool::withdraw(request& r) noexcept {
    const std::lock_guard lock{mutex_};
    if (r.finished) return false;
    r.finished = true;
    if (r.assigned == nullptr) {
        queue_.erase(r.position);
    } else {
        r.assigned->current = nullptr;
        r.assigned->abandoned_at = io::clock::now();
    }
    wake();
    return true;
}

void process_pool::stop(io::time_point when, io::time_point kill) noexcept {
    const std::lock_guard lock{mutex_};
    stop_at_ = std::min(stop_at_, when);
    kill_at_ = std::min(kill_at_, kill);
    wake();
}

void process_pool::drain(io::duration grace) noexcept {
    constexpr std::chrono::milliseconds to_end{500};
    const auto now = io::clock::now();
    stop(io::after(now, std::max<io::duration>(grace - to_end, grace / 2)), io::after(now, grace));
}

void process_pool::stop_and_join(io::duration grace) noexcept {
    const auto now = io::clock::now();
    stop(now, io::after(now, grace));
    join();
}

void process_pool::join() noexcept {
    supervisor_.join();
}

unsigned process_pool::running() const {
    const std::lock_guard lock{mutex_};
    return static_cast<unsigned>(running_count());
}

void process_pool::wake() const noexcept {
    if (wakeup_) wakeup_.signal();
}

bool process_pool::confine() {
    if (!options_.confine) return true;
    const auto done = options_.confine();
    if (!done && options_.on_error) {
        options_.on_error(fmt::format("no program is started: {}", done.error()));
    }
    return done.has_value();
}

void process_pool::supervise() {
    if (!confine()) {
        const auto now = io::clock::now();
        stop(now, now);
    }
    for (bool over = false; !over;) {
        try {
            over = supervise_once();
        } catch (const std::bad_alloc&) {
            // A log line may be lost; the pass is repeated.
            os::sleep_for(memory_pause);
        }
    }
}

bool process_pool::supervise_once() {
    auto next = io::never;
    bool over = false;
    std::vector<log_line> lines;
    {
        const std::lock_guard lock{mutex_};
        next = advance(io::clock::now());
        over = stopped_ && programs_.empty();
        lines.swap(log_lines_);
    }
    for (const auto& each : lines) {
        const auto& to = each.is_error ? options_.on_error : options_.heard;
        if (to) to(each.what);
    }
    if (!over) wait(next);
    return over;
}

void process_pool::wait(io::time_point until) {
    constexpr std::size_t fds_per_program = 4;
    std::vector<pollfd> watched{{.fd = wakeup_.fd(), .events = POLLIN, .revents = 0}};
    // Only this thread changes the list of programs.
    for (const auto& m : programs_) {
        watched.push_back({.fd = m.program.output_to_watch(), .events = POLLIN, .revents = 0});
        watched.push_back({.fd = m.program.child().errors.get(), .events = POLLIN, .revents = 0});
        watched.push_back({.fd = m.program.input_to_watch(), .events = POLLOUT, .revents = 0});
        watched.push_back({.fd = m.program.child().pidfd(), .events = POLLIN, .revents = 0});
    }
    const timespec left = io::time_left(until);
    if (os::sys().ppoll(watched, until == io::never ? nullptr : &left) < 0) return;
    wakeup_.clear();
    const std::lock_guard lock{mutex_};
    const auto now = io::clock::now();
    std::size_t i = 1;
    for (auto m = programs_.begin(); m != programs_.end(); i += fds_per_program) {
        const auto which = m++;
        // Reads an answer before it handles the program's exit.
        if (watched[i].revents != 0) on_program_event(*which, which->program.on_output(now), now);
        if (watched[i + 1].revents != 0) read_stderr(*which, false, now);
        if (watched[i + 2].revents != 0)
            on_program_event(*which, which->program.on_input(now), now);
        if (watched[i + 3].revents != 0) on_child_exit(which, now);
    }
}

io::time_point process_pool::advance(io::time_point now) {
    auto next = stop_at_;
    if (now >= stop_at_) {
        stopped_ = true;
        next = io::never;
    }
    expire_queue(now, next);
    for (auto& m : programs_) check_member(m, now, next);
    restart_programs(now, next);
    assign(now);
    return next;
}

void process_pool::expire_queue(io::time_point now, io::time_point& next) {
    for (auto each = queue_.begin(); each != queue_.end();) {
        request* r = *each++;
        if (stopped_ || r->until <= now) {
            queue_.erase(r->position);
            finish(r, failure(stopped_ ? fault::closed : fault::timed_out));
        } else {
            next = std::min(next, r->until);
        }
    }
}

void process_pool::assign(io::time_point now) {
    for (auto& m : programs_) {
        if (queue_.empty()) return;
        if (m.program.current_phase() != line_program::phase::idle) continue;
        request& r = *queue_.front();
        queue_.pop_front();
        r.assigned = &m;
        r.state.queued = now - r.asked;
        m.current = &r;
        m.program.begin_question(r.question, now);
    }
}

void process_pool::finish(request*& r, result<std::string> outcome) noexcept {
    request& over = *std::exchange(r, nullptr);
    over.outcome = std::move(outcome);
    over.finished = true;
    // After this the frame of ask() may be gone.
    over.notify(over);
}

std::size_t process_pool::running_count() const noexcept {
    return static_cast<std::size_t>(std::ranges::count_if(programs_, [](const member& m) {
        return m.program.current_phase() != line_program::phase::leaving;
    }));
}

std::size_t process_pool::idle_count() const noexcept {
    const auto idle = std::ranges::count_if(programs_, [](const member& m) {
        return m.program.current_phase() == line_program::phase::idle;
    });
    // Counts programs that will be restarted at once.
    const auto missing = retry_ <= io::clock::now() ? options_.count - running_count() : 0;
    return static_cast<std::size_t>(idle) + missing;
}

void process_pool::report(std::string what) {
    log_lines_.push_back({.is_error = true, .what = std::move(what)});
}

void process_pool::report_limited(io::time_point now, std::string what) {
    const auto left_out = log_budget_.take(now);
    if (!left_out) return;
    if (*left_out > 0) what += fmt::format(" ({} more of such lines left out)", *left_out);
    report(std::move(what));
}

}  // namespace sluice::compute
