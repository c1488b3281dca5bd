// Implements process_pool: when a program is started, replaced, given up and buried.
#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/compute/server/pool_member.hpp"
#include "sluice/compute/server/process_pool.hpp"

namespace sluice::compute {
namespace {

using namespace std::chrono_literals;
using phase = line_program::phase;

constexpr auto first_pause = 100ms;
constexpr auto longest_pause = 10s;
// What a question whose asker has gone may still take, while nobody waits for the program.
constexpr auto patience_when_abandoned = 5s;
constexpr auto patience_when_needed = 1s;
// From the end of a program's stdin to SIGTERM, and from there to SIGKILL.
constexpr auto before_term = 1s;
constexpr auto before_kill = 500ms;
constexpr auto after_term = 5s;
// From the end of its stdout to its own end.
constexpr auto before_end = 200ms;
// After a line too much, so many questions have a process each.
constexpr unsigned questions_in_doubt = 100;
// So many programs may take their time to end.
constexpr std::size_t least_leaving = 16;

double seconds_in(io::duration d) noexcept {
    return std::chrono::duration<double>(d).count();
}

void lower(io::time_point& next, io::time_point when) noexcept {
    next = std::min(next, when);
}

}  // namespace

void process_pool::mind(member& m, io::time_point now, io::time_point& next) {
    auto& p = m.program;
    if (p.now() == phase::leaving) return mind_leaving(m, now, next);
    if (stopped_) {
        discard(m, "its time was over at the stop", p.now() == phase::idle ? 0 : SIGTERM, now);
        return mind_leaving(m, now, next);
    }
    if (p.closed_at() != io::never) {
        if (now >= p.closed_at() + before_end) {
            return discard(m, "it closed its stdin or stdout and went on", SIGKILL, now);
        }
        lower(next, p.closed_at() + before_end);
    }
    if (p.now() == phase::idle) return;
    const bool needed = options_.holds_thread || (!queue_.empty() && at_rest() == 0);
    if (m.for_whom == nullptr) {
        const auto until = m.abandoned_at +
                           (needed ? io::duration{patience_when_needed} : patience_when_abandoned);
        if (now >= until) return discard(m, "the client that asked it has gone", SIGKILL, now);
        return lower(next, until);
    }
    if (m.for_whom->until <= now) {
        finish(m.for_whom, failure(fault::timed_out));
        return discard(m, "it took longer over a question than --deadline", SIGKILL, now);
    }
    lower(next, m.for_whom->until);
    const auto silent_at = std::max(p.given_at(), p.heard_at()) + options_.silence;
    if (now < silent_at) return lower(next, silent_at);
    if (p.now() == phase::asked && !counters_->told_silent.exchange(true)) {
        tell(
            fmt::format("{} has read a question and said nothing for {} s; does it flush its "
                        "output? Try stdbuf -oL, python3 -u",
                        name_of(m), seconds_in(options_.silence)));
    }
    if (p.now() == phase::handing && !counters_->told_unread.exchange(true)) {
        tell(
            fmt::format("{} has not read its question for {} s; is it still starting, or does it "
                        "not read its stdin?",
                        name_of(m), seconds_in(options_.silence)));
    }
    if (needed && m.for_whom->of.client_ended) {
        finish(m.for_whom, failure(fault::timed_out));
        return discard(m, "it said nothing for long, its client has ended, and others wait",
                       SIGKILL, now);
    }
    if (needed) lower(next, now + patience_when_needed);
}

void process_pool::mind_leaving(member& m, io::time_point now, io::time_point& next) {
    if (stopped_ && m.kill_at == io::never && !m.killed) {
        lower(m.term_at, std::max(kill_at_ - before_kill, stop_at_));
        lower(m.kill_at, std::max(kill_at_, stop_at_ + before_kill));
    }
    if (now >= m.kill_at) {
        m.kill_at = io::never;
        m.killed = true;
        if (m.why.empty()) m.why = "it went on after the end of its input and SIGTERM";
        m.program.child().signal_group(SIGKILL);
    } else if (now >= m.term_at) {
        m.term_at = io::never;
        // Outside a stop, it may take its time.
        lower(m.kill_at, now + after_term);
        m.program.child().signal_group(SIGTERM);
    }
    lower(next, std::min(m.term_at, m.kill_at));
}

void process_pool::discard(member& m, std::string_view why, int signal, io::time_point now) {
    if (m.for_whom != nullptr) finish(m.for_whom, failure(fault::closed));
    m.program.leave(signal);
    if (signal == 0) {
        m.term_at = now + before_term;
        return;
    }
    m.killed = true;
    m.why = why;
    if (signal == SIGTERM) m.kill_at = std::max(kill_at_, now + before_kill);
}

void process_pool::take_in(member& m, line_program::event what, io::time_point now) {
    auto& p = m.program;
    m.was_asked = m.was_asked || p.now() == phase::asked;
    const auto lines = p.take_unasked_lines();
    const bool leaving = p.now() == phase::leaving;
    if (what == line_program::event::answered && !leaving) {
        auto answer = p.take_answer();
        failures_ = 0;
        if (m.for_whom != nullptr) finish(m.for_whom, std::move(answer));
        if (lines > 0) return mistrust(m, lines, now);
        if (doubt_ > 0) --doubt_;
        if (doubt_ > 0 || options_.fresh) discard(m, {}, 0, now);
        return;
    }
    if (what == line_program::event::too_long && !leaving) {
        return discard(m, fmt::format("its answer is longer than {} bytes", options_.max_line),
                       SIGKILL, now);
    }
    if (what == line_program::event::unasked || (lines > 0 && p.proven())) {
        return mistrust(m, lines, now);
    }
    counters_->unasked += lines;
    if (lines > 0 && !counters_->told_banner.exchange(true)) {
        tell(
            fmt::format("{} printed a line before it was asked anything; such lines are thrown "
                        "away",
                        name_of(m)));
    }
}

void process_pool::mistrust(member& m, std::uint64_t lines, io::time_point now) {
    counters_->unasked += lines;
    doubt_ = questions_in_doubt;
    if (!counters_->told_unasked.exchange(true)) {
        tell(
            fmt::format("{} printed more than one line for a question; the rest is thrown away, "
                        "and a new process is asked the next question",
                        name_of(m)));
    }
    auto& p = m.program;
    if (p.now() == phase::leaving) return;
    if (!p.proven()) return discard(m, "it printed 64 KiB without being asked", SIGKILL, now);
    if (p.now() == phase::idle) return discard(m, {}, 0, now);
    put_back(m);
    discard(m, "it printed more than one line for a question", SIGKILL, now);
}

// A question that was not read to its end is another program's.
void process_pool::put_back(member& m) {
    if (m.for_whom == nullptr) return;
    m.for_whom->with = nullptr;
    m.for_whom->place = queue_.insert(queue_.begin(), m.for_whom);
    m.for_whom = nullptr;
}

void process_pool::hear(member& m, bool all, io::time_point now) {
    std::vector<std::string> remarks;
    m.program.on_errors(remarks, all, now);
    for (const auto& each : remarks) {
        to_say_.push_back({.trouble = false, .what = fmt::format("{}: {}", name_of(m), each)});
    }
}

void process_pool::bury(programs::iterator which, io::time_point now) {
    member& m = *which;
    try {
        hear(m, true, now);
    } catch (const std::bad_alloc&) {
        // It says nothing more.
        m.was_asked = m.was_asked || m.program.now() == phase::asked;
    }
    // What it started in turn ends with it. Its number is nobody else's until it is reaped.
    m.program.child().signal_group(SIGKILL);
    if (options_.guard != nullptr) options_.guard->forget(m.program.pid());
    int status = 0;
    ::waitpid(m.program.pid(), &status, 0);
    const bool told_to_end = m.program.now() == phase::leaving;
    m.was_asked = m.was_asked || m.program.now() == phase::asked;
    if (m.program.now() == phase::handing) put_back(m);
    if (m.for_whom != nullptr) finish(m.for_whom, failure(fault::closed));
    ++(m.killed ? counters_->killed : counters_->ended);
    const bool useless = !m.was_asked && (!told_to_end || m.killed);
    if (useless) ++failures_;
    const auto doublings = std::min(failures_, 10U);
    const io::duration pause =
        !useless || failures_ <= 1
            ? io::duration{}
            : std::min<io::duration>(first_pause * (1U << (doublings - 2)), longest_pause);
    if (pause > io::duration{}) retry_ = io::after(now, pause);
    try {
        tell_end(m, status, !told_to_end, pause, now);
    } catch (const std::bad_alloc&) {
        // It is reaped, and must not be minded once more.
        programs_.erase(which);
        throw;
    }
    programs_.erase(which);
}

void process_pool::tell_end(const member& m, int status, bool unasked, io::duration pause,
                            io::time_point now) {
    const auto again =
        pause == io::duration{}
            ? std::string{"at once"}
            : fmt::format("in {} ms",
                          std::chrono::duration_cast<std::chrono::milliseconds>(pause).count());
    const auto how = how_it_ended(status);
    if (m.killed) {
        tell_some(now, fmt::format("{} was killed, as {}: it {}", name_of(m), m.why, how));
    } else if (unasked) {
        tell_some(now, fmt::format("{} {}; it is started again {}", name_of(m), how, again));
    }
}

void process_pool::revive(io::time_point now, io::time_point& next) {
    if (stopped_) return;
    // Those that do not go when they are told to are not collected.
    auto leaving = programs_.size() - serving();
    for (auto& m : programs_) {
        if (leaving <= std::max(std::size_t{2} * options_.count, least_leaving)) break;
        if (m.program.now() != phase::leaving || m.killed) continue;
        --leaving;
        m.killed = true;
        m.why = "it was slow to end, and many others are to end";
        m.program.child().signal_group(SIGKILL);
    }
    if (serving() < options_.count) {
        if (retry_ <= now) spawn(now);
        if (serving() < options_.count) lower(next, retry_);
    }
    if (serving() > 0) return;
    while (!queue_.empty()) {
        request* r = queue_.front();
        queue_.pop_front();
        finish(r, failure(fault::closed));
    }
}

void process_pool::spawn(io::time_point now) {
    auto more = environment_;
    // bc and dc break what is longer than 70 characters into lines; 0 tells them not to.
    for (const auto* each : {"BC_LINE_LENGTH", "DC_LINE_LENGTH"}) {
        if (std::getenv(each) == nullptr) more.push_back(std::string{each} + "=0");
    }
    while (serving() < options_.count) {
        auto started = child_process::start(options_.command, more);
        if (!started) {
            ++failures_;
            retry_ = io::after(now, longest_pause);
            tell_some(now, fmt::format("cannot start {}: {}; it is tried again in 10 s",
                                       options_.command.front(), started.error().message()));
            return;
        }
        if (options_.guard != nullptr) options_.guard->watch(started->pid);
        ++counters_->started;
        programs_.emplace_back(std::move(*started), options_.max_line);
    }
}

std::string process_pool::name_of(const member& m) const {
    return fmt::format("{} ({})", options_.command.front(), m.program.pid());
}

}  // namespace sluice::compute
