// Implements the programs of the world of compute, and the judge of what their server says.
#include "tests/worlds/compute_programs.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <optional>
#include <span>
#include <utility>

#include "sluice/base/bytes.hpp"
#include "sluice/compute/refusals.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/os/signal_action.hpp"

namespace sluice::worlds {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

// How long a question may fail that no program has read, after what was the cause: a process that
// stands still for 10 s, a deadline of 3 s, and a pause of 10 s before the next try.
constexpr auto excuse = 25s;
// More than a program may print without being asked.
constexpr std::size_t too_much = std::size_t{70} * 1024;

// An empty question as it comes to a program.
constexpr std::string_view blank = " ";

/// "fail 20 <3/1>": its program ends over it.
bool is_to_fail(std::string_view question) noexcept {
    return question.starts_with("fail ");
}

[[noreturn]] void hang() {
    for (;;) os::sleep_for(1h);
}

}  // namespace

compute_question draw_program_question(stage& s, std::string_view tag, std::size_t max_line) {
    auto& chance = s.chance();
    // Now and then longer than the pause after which a server looks for a client that has left.
    const auto time = chance.chance(0.05) ? chance.between(260, 400) : chance.between(0, 30);
    switch (chance.below(10)) {
        case 0:
            return {.text = fmt::format("fail {} {}", time, tag),
                    .answer = std::string{compute::refusal::failed},
                    .is_job = true};
        case 1: return {.text = {}, .answer = std::string{blank}, .is_job = true};
        case 2: {
            auto text = fmt::format("job 0 {} ", tag);
            text.append(max_line - text.size(), 'x');
            return {.text = text, .answer = reversed(text), .is_job = true};
        }
        default: return job_question(milliseconds{time}, tag);
    }
}

/// One process. Its draws are those of all, in the order in which their fibers run.
class world_programs::program {
 public:
    explicit program(world_programs& of) noexcept : of_{of}, chance_{of.chance_} {}

    /// Its main function.
    int run() {
        const bool stays = strikes(&program_faults::stays);
        if (stays && chance_.chance(0.5)) os::set_signal_action(SIGTERM, SIG_IGN);
        if (strikes(&program_faults::slow_start)) {
            excuse_all();
            pause(2000ms);
        }
        if (strikes(&program_faults::banner)) print_banner();
        if (strikes(&program_faults::ends_unasked)) {
            excuse_all();
            return end();
        }
        while (const auto question = next_question()) {
            if (const auto status = answer(*question)) return *status;
        }
        if (stays) hang();
        return 0;
    }

 private:
    [[nodiscard]] bool strikes(double program_faults::* fault) noexcept {
        return chance_.chance(of_.faults_.*fault);
    }
    void pause(milliseconds most) {
        os::sleep_for(std::chrono::microseconds{chance_.between(0, most / 1us)});
    }
    void excuse_all() noexcept { of_.excused_until_ = of_.now() + excuse / 1ns; }
    void break_off(const std::string& question) { of_.broken_off_.insert(question); }

    void print_banner() {
        excuse_all();
        if (chance_.chance(0.2)) return print(std::string(too_much, 'b'), false);
        for (auto left = chance_.between(1, 3); left > 0; --left) print("Welcome\n", true);
    }

    /// Writes all of it, in pieces with pauses between if it is `split`.
    void print(std::string_view text, bool split, int to = STDOUT_FILENO) {
        while (!text.empty()) {
            const auto piece = split ? 1 + chance_.below(text.size()) : text.size();
            const auto n = os::sys().write(to, as_bytes(text.substr(0, piece)));
            if (n == -EINTR) continue;
            if (n < 0) return;
            text.remove_prefix(static_cast<std::size_t>(n));
            if (split) pause(50ms);
        }
    }

    /// The next line; nullopt at the end of its input.
    std::optional<std::string> next_question() {
        bool trickles = strikes(&program_faults::trickle);
        if (trickles) excuse_all();
        for (;;) {
            if (const auto end = read_.find('\n'); end != std::string::npos) {
                auto line = read_.substr(0, end);
                read_.erase(0, end + 1);
                return line;
            }
            std::array<char, 4096> piece{};
            const auto most = trickles ? 1 + chance_.below(64) : piece.size();
            const auto n =
                os::sys().read(STDIN_FILENO, std::as_writable_bytes(std::span{piece}.first(most)));
            // One that has waited until the healing for it reads it as the others do.
            trickles = trickles && of_.healed_at_ == sim::never;
            if (trickles) pause(30ms);
            if (n == -EINTR) continue;
            if (n <= 0) {
                stage::require(read_.empty(), "a program finds the end of its input in mid-line");
                return std::nullopt;
            }
            read_.append(piece.data(), static_cast<std::size_t>(n));
        }
    }

    /// A status, if it ends.
    std::optional<int> answer(const std::string& question) {
        of_.account_.run(question);
        work(question);
        if (is_to_fail(question)) return end();
        if (strikes(&program_faults::noisy)) complain();
        if (strikes(&program_faults::slow)) pause(3000ms);
        if (strikes(&program_faults::hangs)) hang();
        if (strikes(&program_faults::closes)) close_some(question);
        const bool splits = strikes(&program_faults::split);
        std::string said = reversed(question);
        if (strikes(&program_faults::endless)) {
            break_off(question);
            said = std::string(of_.limits_.max_line + 1 + chance_.below(too_much), 'e');
            if (chance_.chance(0.5)) {
                print(said, splits);
                hang();
            }
        }
        said += chance_.chance(0.1) ? "\r\n" : "\n";
        if (strikes(&program_faults::ends)) {
            said.resize(chance_.chance(0.3) ? said.size() : chance_.below(said.size()));
            if (!said.ends_with('\n')) break_off(question);
            print(said, splits);
            return end();
        }
        print(said, splits);
        if (strikes(&program_faults::extra)) print_more();
        return std::nullopt;
    }

    /// Takes the time that the question says.
    static void work(std::string_view question) {
        question.remove_prefix(std::min(question.find(' ') + 1, question.size()));
        int number = 0;
        for (const char c : question) {
            constexpr int most = 1000;
            if (c < '0' || c > '9' || number > most) break;
            number = 10 * number + (c - '0');
        }
        os::sleep_for(milliseconds{number});
    }

    void close_some(const std::string& question) {
        excuse_all();
        break_off(question);
        const auto which = chance_.below(3);
        if (which != 0) os::sys().close(STDIN_FILENO);
        if (which != 1) os::sys().close(STDOUT_FILENO);
        if (chance_.chance(0.5)) hang();
    }

    void complain() {
        for (auto left = chance_.between(1, 10); left > 0; --left) {
            constexpr std::size_t longest = 3000;
            std::string said(chance_.below(longest), '\x1b');
            if (chance_.chance(0.8)) said += '\n';
            print(said, chance_.chance(0.2), STDERR_FILENO);
        }
    }

    /// Lines that answer nothing, or a prompt.
    void print_more() {
        if (chance_.chance(0.5)) pause(200ms);
        if (chance_.chance(0.2)) return print("> ", false);
        if (chance_.chance(0.1)) return print(std::string(too_much, 'm'), false);
        for (auto left = chance_.between(1, 3); left > 0; --left) {
            print("more\n", chance_.chance(0.3));
        }
    }

    /// Its status, unless it ends by a signal.
    int end() {
        constexpr std::array signals{SIGSEGV, SIGABRT, SIGKILL, SIGTERM};
        if (chance_.chance(0.3)) os::sys().raise(signals[chance_.below(signals.size())]);
        return static_cast<int>(chance_.below(256));
    }

    world_programs& of_;
    sim::random& chance_;
    std::string read_;
};

/// A question on its way through the server.
struct world_programs::pending {
    pending(world_programs& by, std::string_view text)
        : of{by}, question{text.empty() ? blank : text} {
        of.pending_.push_back(this);
        for (pending* each : of.pending_) each->most = std::max(each->most, of.pending_.size());
    }
    pending(const pending&) = delete;
    pending& operator=(const pending&) = delete;
    ~pending() { std::erase(of.pending_, this); }

    world_programs& of;
    std::string question;  ///< as a program reads it
    sim::virtual_time since = of.now();
    std::size_t most = 0;  ///< questions that were on their way at a time, this one among them
};

class world_programs::judging_handler final : public compute::handler {
 public:
    judging_handler(world_programs& by, compute::process_pool& pool)
        : of_{by}, programs_{compute::make_programs(pool)} {}

    std::optional<compute::job> begin(std::string_view question,
                                      std::string& answers) const override {
        of_.account_.begun(question);
        auto todo = programs_->begin(question, answers);
        return compute::job{.ask = [this, ask = std::move(todo->ask), text = std::string{question}](
                                       io::engine& engine, compute::question_context& state) {
            return of_.judge(ask, text, engine, state);
        }};
    }

 private:
    world_programs& of_;
    std::unique_ptr<compute::handler> programs_;
};

world_programs::world_programs(stage& s, question_account& account,
                               compute::process_pool_options limits)
    : s_{s},
      account_{account},
      limits_{std::move(limits)},
      chance_{s.how().seed ^ 0x7072'6f67'7261'6dU},
      faults_{s.program_faults()} {
    s.kernel().add_program(limits_.command.front(), [this] { return program{*this}.run(); });
}

sim::virtual_time world_programs::now() const noexcept {
    return s_.kernel().scheduler().now();
}

std::unique_ptr<compute::handler> world_programs::make_handler(compute::process_pool& pool) {
    server_ = &s_.kernel().current();
    return std::make_unique<judging_handler>(*this, pool);
}

coro::task<result<std::string>> world_programs::judge(asking ask, std::string question,
                                                      io::engine& engine,
                                                      compute::question_context& state) {
    const pending q{*this, question};
    auto outcome = co_await ask(engine, state);
    check(q, outcome);
    co_return outcome;
}

void world_programs::check(const pending& q, const result<std::string>& outcome) {
    if (!outcome && outcome.error() == fault::cancelled) return;
    const std::chrono::nanoseconds took{now() - q.since};
    std::string_view said = compute::refusal::failed;
    if (outcome) {
        said = *outcome;
        stage::require(!is_to_fail(q.question) && said == reversed(q.question),
                       fmt::format("a program answers '{}' to '{}'", said, q.question));
    } else if (outcome.error() == fault::queue_full) {
        said = compute::refusal::busy;
        stage::require(q.most > limits_.queue,
                       fmt::format("'{}' is refused with {} questions on their way and a queue of "
                                   "{}",
                                   q.question, q.most, limits_.queue));
    } else if (outcome.error() == fault::timed_out) {
        said = compute::refusal::late;
        stage::require(took >= std::min({limits_.deadline, limits_.longest, limits_.silence}),
                       fmt::format("'{}' is late after {} ms", q.question, took / 1ms));
    } else {
        stage::require(may_fail(q.question),
                       fmt::format("'{}' has failed without a cause", q.question));
    }
    constexpr auto slack = 100ms;
    stage::require(
        q.since < healed_at_ || took <= limits_.deadline + slack,
        fmt::format("'{}' was {} ms on its way, longer than the deadline", q.question, took / 1ms));
    if (has_whole_tag(q.question)) outcomes_.insert_or_assign(q.question, std::string{said});
}

bool world_programs::may_fail(const std::string& question) const {
    return stopping_ || is_to_fail(question) || broken_off_.contains(question) ||
           now() <= excused_until_ || was_short();
}

bool world_programs::was_short() const {
    return std::ranges::any_of(s_.kernel().processes(), [this](const auto& each) {
        const bool concerns_it = each.get() == server_ || each->parent() == server_;
        return concerns_it && each->last_shortage() &&
               now() <= *each->last_shortage() + excuse / 1ns;
    });
}

std::string_view world_programs::outcome_of(std::string_view question) const {
    const auto found = outcomes_.find(question);
    return found == outcomes_.end() ? "(nothing)" : std::string_view{found->second};
}

void world_programs::heal() {
    faults_ = {};
    healed_at_ = now();
}

std::string world_programs::unsettled(const compute::process_pool& pool) const {
    std::size_t running = 0;
    std::size_t unreaped = 0;
    for (const auto& each : s_.kernel().processes()) {
        if (each->parent() != server_) continue;
        ++(each->over() ? unreaped : running);
        if (each->reaped()) --unreaped;
    }
    if (running == limits_.count && unreaped == 0 && pool.running() == limits_.count) return {};
    return fmt::format("{} of {} programs run, {} are left, {} are not reaped", pool.running(),
                       limits_.count, running, unreaped);
}

}  // namespace sluice::worlds
