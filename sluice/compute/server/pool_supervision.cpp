// Implements process_pool: when a program is started, replaced, killed and reaped.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/base/planted_bug.hpp"
#include "sluice/base/sometimes.hpp"
#include "sluice/compute/server/pool_member.hpp"
#include "sluice/compute/server/process_pool.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::compute {
namespace {

using namespace std::chrono_literals;
using phase = line_program::phase;

constexpr auto first_pause = 100ms;
constexpr auto longest_pause = 10s;
// For a question that is wanted no more; the shorter one if other questions wait.
constexpr auto timeout_when_abandoned = 5s;
constexpr auto timeout_when_needed = 1s;
// From the end of a program's stdin to SIGTERM; from there to SIGKILL, at a stop and otherwise.
constexpr auto before_term = 1s;
constexpr auto before_kill = 500ms;
constexpr auto after_term = 5s;
// From the end of its stdin or stdout to its exit.
constexpr auto before_end = 200ms;
// After an unasked line, this many questions run in a process each.
constexpr unsigned fresh_after_unasked_line = 100;
// Programs that may exit at their own pace.
constexpr std::size_t min_leaving_limit = 16;

double seconds_in(io::duration d) noexcept {
    return std::chrono::duration<double>(d).count();
}

void lower(io::time_point& next, io::time_point when) noexcept {
    next = std::min(next, when);
}

}  // namespace

void process_pool::check_member(member& m, io::time_point now, io::time_point& next) {
    auto& p = m.program;
    if (p.current_phase() == phase::leaving) return check_leaving(m, now, next);
    if (stopped_) {
        sometimes(rare_path::compute_program_stopped, m.current != nullptr);
        discard(m, "its time was over at the stop", p.current_phase() == phase::idle ? 0 : SIGTERM,
                now);
        return check_leaving(m, now, next);
    }
    if (p.closed_at() != io::never) {
        if (now >= p.closed_at() + before_end) {
            sometimes(rare_path::compute_program_closed_a_pipe);
            return discard(m, "it closed its stdin or stdout and went on", SIGKILL, now);
        }
        lower(next, p.closed_at() + before_end);
    }
    if (p.current_phase() == phase::idle) return;
    const bool needed = options_.holds_thread || (!queue_.empty() && idle_count() == 0);
    if (m.current != nullptr && m.current->until <= now) {
        sometimes(rare_path::compute_program_late);
        finish(m.current, failure(fault::timed_out));
        if (p.current_phase() == phase::asked) {
            return discard(m, "it took longer over a question than --deadline", SIGKILL, now);
        }
        // It may be starting still, or the question has waited for most of its time.
        sometimes(rare_path::compute_program_unread);
        m.abandoned_at = now;
    }
    if (m.current == nullptr) {
        const auto until =
            m.abandoned_at + (needed ? io::duration{timeout_when_needed} : timeout_when_abandoned);
        if (now < until) return lower(next, until);
        sometimes(rare_path::compute_program_abandoned);
        return discard(m,
                       p.current_phase() == phase::asked ? "the client that asked it has gone"
                                                         : "it did not read a question",
                       SIGKILL, now);
    }
    lower(next, m.current->until);
    const auto longest_at = io::after(p.asked_at(), options_.longest);
    if (longest_at <= now) {
        finish(m.current, failure(fault::timed_out));
        return discard(m, "it took longer over a question than --exec-time", SIGKILL, now);
    }
    lower(next, longest_at);
    const auto silent_at = std::max(p.begun_at(), p.output_at()) + options_.silence;
    if (now < silent_at) return lower(next, silent_at);
    if (p.current_phase() == phase::asked && !counters_->logged_silent.exchange(true)) {
        report(
            fmt::format("{} has read a question and said nothing for {} s; does it flush its "
                        "output? Try stdbuf -oL, python3 -u",
                        name_of(m), seconds_in(options_.silence)));
    }
    if (p.current_phase() == phase::writing && !counters_->logged_unread.exchange(true)) {
        report(
            fmt::format("{} has not read its question for {} s; is it still starting, or does it "
                        "not read its stdin?",
                        name_of(m), seconds_in(options_.silence)));
    }
    if (needed && m.current->state.client_ended) {
        sometimes(rare_path::compute_program_gave_way);
        finish(m.current, failure(fault::timed_out));
        return discard(m, "it said nothing for long, its client has ended, and others wait",
                       SIGKILL, now);
    }
    if (needed) lower(next, now + timeout_when_needed);
}

void process_pool::check_leaving(member& m, io::time_point now, io::time_point& next) {
    if (stopped_ && m.term_at != io::never) {
        lower(m.term_at, std::max(kill_at_ - before_kill, stop_at_));
    }
    // Unless SIGKILL was sent.
    const bool may_run_on = m.term_at != io::never || m.kill_at != io::never;
    if (stopped_ && may_run_on && !planted(bug::compute_program_outlives_stop)) {
        lower(m.kill_at, std::max(kill_at_, stop_at_ + before_kill));
    }
    if (now >= m.kill_at) {
        sometimes(rare_path::compute_program_outlived_sigterm);
        m.kill_at = io::never;
        m.killed = true;
        if (m.why.empty()) m.why = "it went on after the end of its input and SIGTERM";
        m.program.child().signal_group(SIGKILL);
    } else if (now >= m.term_at) {
        sometimes(rare_path::compute_program_outlived_its_input);
        m.term_at = io::never;
        // The shorter deadline of a stop still applies.
        lower(m.kill_at, now + after_term);
        m.program.child().signal_group(SIGTERM);
    }
    lower(next, std::min(m.term_at, m.kill_at));
}

void process_pool::discard(member& m, std::string_view why, int signal, io::time_point now) {
    if (m.current != nullptr) finish(m.current, failure(fault::closed));
    m.program.leave(signal);
    if (signal == 0) {
        m.term_at = now + before_term;
        return;
    }
    m.killed = true;
    m.why = why;
    if (signal == SIGTERM) m.kill_at = std::max(kill_at_, now + before_kill);
}

void process_pool::on_program_event(member& m, line_program::event what, io::time_point now) {
    auto& p = m.program;
    m.was_asked = m.was_asked || p.current_phase() == phase::asked;
    const auto lines = p.take_unasked_lines();
    const bool leaving = p.current_phase() == phase::leaving;
    if (what == line_program::event::answered && !leaving) {
        auto answer = p.take_answer();
        failures_ = 0;
        if (m.current != nullptr) finish(m.current, std::move(answer));
        if (lines > 0) return on_unasked_line(m, lines, now);
        if (fresh_left_ > 0) --fresh_left_;
        if (fresh_left_ > 0 || options_.fresh) discard(m, {}, 0, now);
        return;
    }
    if (what == line_program::event::too_long && !leaving) {
        sometimes(rare_path::compute_program_too_long);
        return discard(m, fmt::format("its answer is longer than {} bytes", options_.max_line),
                       SIGKILL, now);
    }
    if (what == line_program::event::unasked || (lines > 0 && p.has_answered())) {
        return on_unasked_line(m, lines, now);
    }
    counters_->unasked += lines;
    if (lines > 0 && !counters_->logged_banner.exchange(true)) {
        report(
            fmt::format("{} printed a line before it was asked anything; such lines are thrown "
                        "away",
                        name_of(m)));
    }
}

void process_pool::on_unasked_line(member& m, std::uint64_t lines, io::time_point now) {
    counters_->unasked += lines;
    fresh_left_ = fresh_after_unasked_line;
    if (!counters_->logged_unasked.exchange(true)) {
        report(
            fmt::format("{} printed more than one line for a question; the rest is thrown away, "
                        "and a new process is asked the next question",
                        name_of(m)));
    }
    auto& p = m.program;
    if (p.current_phase() == phase::leaving) return;
    if (!p.has_answered()) {
        return discard(m, "it printed more than 64 KiB without being asked", SIGKILL, now);
    }
    if (p.current_phase() == phase::idle) return discard(m, {}, 0, now);
    sometimes(rare_path::compute_program_printed_on);
    requeue(m);
    discard(m, "it printed more than one line for a question", SIGKILL, now);
}

// Another program answers a question that was not read to its end.
void process_pool::requeue(member& m) {
    if (m.current == nullptr) return;
    sometimes(rare_path::compute_program_asked_again);
    m.current->assigned = nullptr;
    m.current->position = queue_.insert(queue_.begin(), m.current);
    m.current = nullptr;
}

void process_pool::read_stderr(member& m, bool all, io::time_point now) {
    std::vector<std::string> lines;
    m.program.on_errors(lines, all, now);
    for (const auto& each : lines) {
        log_lines_.push_back({.is_error = false, .what = fmt::format("{}: {}", name_of(m), each)});
    }
}

void process_pool::on_child_exit(programs::iterator which, io::time_point now) {
    member& m = *which;
    // poll(2) looks at one descriptor after the other: between its looks at stdout and at the pidfd
    // the program may have answered and ended.
    if (m.program.output_to_watch() >= 0) on_program_event(m, m.program.on_output(now), now);
    try {
        read_stderr(m, true, now);
    } catch (const std::bad_alloc&) {
        // Its last lines on stderr are lost.
        m.was_asked = m.was_asked || m.program.current_phase() == phase::asked;
    }
    // Kills its descendants. The group's number cannot be reused until the leader is reaped.
    m.program.child().signal_group(SIGKILL);
    if (options_.guard != nullptr) options_.guard->forget(m.program.pid());
    const int status = m.program.reap();
    const bool is_leaving = m.program.current_phase() == phase::leaving;
    m.was_asked = m.was_asked || m.program.current_phase() == phase::asked;
    if (m.program.current_phase() == phase::writing || planted(bug::compute_program_asked_twice)) {
        requeue(m);
    }
    if (m.current != nullptr) finish(m.current, failure(fault::closed));
    ++(m.killed ? counters_->killed : counters_->ended);
    const bool useless = !m.was_asked && (!is_leaving || m.killed);
    sometimes(rare_path::compute_program_ended_unasked, useless);
    if (useless) ++failures_;
    const auto doublings = std::min(failures_, 10U);
    const io::duration pause =
        !useless || failures_ <= 1
            ? io::duration{}
            : std::min<io::duration>(first_pause * (1U << (doublings - 2)), longest_pause);
    if (pause > io::duration{}) retry_ = io::after(now, pause);
    try {
        report_exit(m, status, !is_leaving, pause, now);
    } catch (const std::bad_alloc&) {
        // It is reaped and must not be waited for again.
        programs_.erase(which);
        throw;
    }
    programs_.erase(which);
}

void process_pool::report_exit(const member& m, int status, bool unasked, io::duration pause,
                               io::time_point now) {
    const auto again =
        pause == io::duration{}
            ? std::string{"at once"}
            : fmt::format("in {} ms",
                          std::chrono::duration_cast<std::chrono::milliseconds>(pause).count());
    const auto how = os::how_it_ended(status);
    if (m.killed) {
        report_limited(now, fmt::format("{} was killed, as {}: it {}", name_of(m), m.why, how));
    } else if (unasked) {
        report_limited(now, fmt::format("{} {}; it is started again {}", name_of(m), how, again));
    }
}

void process_pool::restart_programs(io::time_point now, io::time_point& next) {
    if (stopped_) return;
    // Limits the programs that are slow to exit.
    auto leaving = programs_.size() - running_count();
    for (auto& m : programs_) {
        if (leaving <= std::max(std::size_t{2} * options_.count, min_leaving_limit)) break;
        if (m.program.current_phase() != phase::leaving || m.killed) continue;
        --leaving;
        sometimes(rare_path::compute_program_too_many_leave);
        m.killed = true;
        m.why = "it was slow to end, and many others are to end";
        m.program.child().signal_group(SIGKILL);
    }
    if (running_count() < options_.count) {
        if (retry_ <= now) spawn(now);
        if (running_count() < options_.count) lower(next, retry_);
    }
    if (running_count() > 0) return;
    while (!queue_.empty()) {
        request* r = queue_.front();
        queue_.pop_front();
        finish(r, failure(fault::closed));
    }
}

void process_pool::spawn(io::time_point now) {
    auto more = environment_;
    // bc and dc break lines after 70 characters; 0 disables that.
    for (const auto* each : {"BC_LINE_LENGTH", "DC_LINE_LENGTH"}) {
        if (std::getenv(each) == nullptr) more.push_back(std::string{each} + "=0");
    }
    while (running_count() < options_.count) {
        auto started = os::child_process::start(options_.command, more);
        if (!started) {
            sometimes(rare_path::compute_program_not_started);
            ++failures_;
            retry_ = planted(bug::compute_program_place_lost) ? io::never
                                                              : io::after(now, longest_pause);
            report_limited(now, fmt::format("cannot start {}: {}; it is tried again in 10 s",
                                            options_.command.front(), started.error().message()));
            return;
        }
        if (options_.memory > 0) {
            // It is asked nothing before.
            const rlimit most{.rlim_cur = options_.memory, .rlim_max = options_.memory};
            static_cast<void>(os::sys().prlimit(started->pid(), RLIMIT_DATA, most));
        }
        // Without memory for it, it is killed and reaped here, before the guard has its number.
        const auto& m = programs_.emplace_back(std::move(*started), options_.max_line);
        if (options_.guard != nullptr) options_.guard->watch(m.program.pid());
        ++counters_->started;
    }
}

std::string process_pool::name_of(const member& m) const {
    return fmt::format("{} ({})", options_.command.front(), m.program.pid());
}

}  // namespace sluice::compute
