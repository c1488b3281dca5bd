// The workload of compute, and its world: questions with jobs, small queues and deadlines, and
// clients of all manners.
#include <fmt/format.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/compute/server/compute.hpp"
#include "sluice/compute/server/process_pool.hpp"
#include "tests/worlds/compute_clients.hpp"
#include "tests/worlds/compute_programs.hpp"
#include "tests/worlds/compute_questions.hpp"
#include "tests/worlds/server.hpp"
#include "tests/worlds/waiting.hpp"
#include "tests/worlds/workload.hpp"
#include "tests/worlds/worlds.hpp"

namespace sluice::worlds {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

compute::compute_options draw_options(sim::random& chance) {
    return {
        // The other framings depend on when bytes come.
        .framing = wire::framing::line,
        .max_line = static_cast<std::size_t>(chance.log_uniform(64, 4096)),
        .workers = static_cast<unsigned>(chance.between(1, 3)),
        .queue = chance.chance(0.8) ? 1 + static_cast<std::size_t>(chance.below(4)) : 1024,
        .deadline = chance.chance(0.5) ? milliseconds{chance.between(1, 40)} : io::duration::max(),
        .idle_time = milliseconds{chance.between(500, 3000)},
        .stall_time = milliseconds{chance.between(1000, 3000)},
    };
}

/// The limits of the programs of --exec, which answer in a part of the worlds; nullopt: the
/// handlers do. Drawn apart, so that they move no other choice.
std::optional<compute::process_pool_options> draw_programs(const stage& s,
                                                           const server_shape& shape,
                                                           const compute::compute_options& o) {
    sim::random chance{s.how().seed ^ 0x6578'6563U};
    constexpr double share = 0.4;
    if (!s.how().exec.value_or(chance.chance(share))) return std::nullopt;
    const auto draw_time = [&chance](double least, double most) {
        return milliseconds{static_cast<std::int64_t>(chance.log_uniform(least, most))};
    };
    compute::process_pool_options drawn{
        .command = {"/answers"},
        .count =
            static_cast<unsigned>(chance.chance(0.8) ? chance.between(1, 3) : chance.between(4, 8)),
        .queue = o.queue,
        .deadline = draw_time(30, 3000),
        .max_line = 2 * o.max_line,
        .fresh = chance.chance(0.3),
        .memory = chance.chance(0.3) ? std::uint64_t{64} << 20 : 0,
    };
    if (chance.chance(0.3)) drawn.longest = draw_time(30, 2000);
    drawn.silence = draw_time(50, 5000);
    drawn.holds_thread = shape.model == model::kind::sync || shape.model == model::kind::pool;
    return drawn;
}

/// How long clients may wait. Under the sync model one waits for those before it, until the
/// server's limits end them.
std::chrono::seconds patience_with(bool one_at_a_time) noexcept {
    return one_at_a_time ? 60s : 10s;
}

class compute_workload final : public workload {
 public:
    /// `shape` is that of the server; the stage outlives this. Without `programs`, the handlers of
    /// sluice answer.
    compute_workload(stage& s, const server_shape& shape, std::uint16_t port,
                     const compute::compute_options& o,
                     const std::optional<compute::process_pool_options>& programs);

    void host(const std::function<void(std::vector<door>)>& run) override;
    void begin() override;
    [[nodiscard]] std::vector<sim::process*> clients() const override { return processes_; }
    void heal() override;
    /// Every client is answered, and a last one without any wait.
    void settle() override;
    void before_stop() override;
    /// The server is told to stop before every client is answered.
    void expect_breaks() noexcept { ++scene_.broken; }
    /// What clients were answered was counted.
    void after_stop() override;

 private:
    /// The service's counters at its end.
    struct counts {
        std::uint64_t answered = 0;
        std::uint64_t busy = 0;
        std::uint64_t late = 0;
        std::uint64_t failed = 0;
        std::uint64_t too_long = 0;
        std::uint64_t abandoned = 0;
    };

    void add_client(std::string name, std::function<void()> run);
    [[nodiscard]] std::string unfinished() const;
    [[nodiscard]] std::unique_ptr<compute::process_pool> make_pool();
    void ask_last();

    stage& s_;
    bool one_at_a_time_;
    std::chrono::milliseconds grace_;
    compute::compute_options options_;
    question_account account_;
    std::optional<world_programs> programs_;
    compute::process_pool* pool_ = nullptr;  // while it is there, in host()
    compute_scene scene_;
    std::vector<std::unique_ptr<steady_client>> steady_;
    std::vector<sim::process*> processes_;  // those of the steady clients first
    const sim::process* load_client_ = nullptr;
    bool load_done_ = true;
    counts counted_;
};

compute_workload::compute_workload(stage& s, const server_shape& shape, std::uint16_t port,
                                   const compute::compute_options& o,
                                   const std::optional<compute::process_pool_options>& programs)
    : s_{s},
      one_at_a_time_{shape.model == model::kind::sync},
      grace_{shape.grace},
      options_{o},
      // A program may read a question that is late.
      account_{s, programs ? io::duration::max() : options_.deadline.get()},
      scene_{.s = s,
             .account = account_,
             .port = port,
             .max_line = options_.max_line,
             .refuses = programs || shape.model == model::kind::event,
             .hurries = programs || (shape.model == model::kind::event &&
                                     options_.deadline.get() != io::duration::max())} {
    if (!programs) return;
    programs_.emplace(s, account_, *programs);
    scene_.programs = &*programs_;
}

std::unique_ptr<compute::process_pool> compute_workload::make_pool() {
    auto made = compute::process_pool::make(programs_->limits());
    if (!made) s_.fail(made.error());
    if (s_.chance().chance(0.5)) (*made)->start();
    return std::move(*made);
}

void compute_workload::host(const std::function<void(std::vector<door>)>& run) {
    const auto pool = programs_ ? make_pool() : nullptr;
    pool_ = pool.get();
    compute::compute_service service{
        pool ? programs_->make_handler(*pool) : make_world_handler(account_), options_};
    door at{.port = scene_.port, .serve = service.service()};
    if (pool) {
        at.on_stage = [this](model::stage now) {
            // One that could not begin to serve is tried again, with the same programs.
            if (scene_.stopping) pool_->drain(now == model::stage::ending ? 0ms : grace_);
        };
    }
    run({std::move(at)});
    pool_ = nullptr;
    if (pool) pool->stop_and_join(grace_);
    const auto& c = service.counted();
    counted_ = {.answered = c.at_once + c.worked_on,
                .busy = c.busy,
                .late = c.late,
                .failed = c.failed,
                .too_long = c.too_long,
                .abandoned = c.abandoned};
}

void compute_workload::add_client(std::string name, std::function<void()> run) {
    processes_.push_back(&s_.start(std::move(name), std::move(run)));
}

void compute_workload::begin() {
    auto& chance = s_.chance();
    for (std::size_t i = 0, all = s_.draw_clients(1, 4); i < all; ++i) {
        steady_.push_back(std::make_unique<steady_client>(scene_, i));
        add_client(fmt::format("asker {}", i), [client = steady_.back().get()] { client->run(); });
    }
    constexpr std::size_t first_of_the_rude = 100;
    for (std::size_t i = 0, all = s_.draw_clients(0, 3); i < all && chance.chance(0.5); ++i) {
        add_client(fmt::format("rude asker {}", i),
                   [this, i] { break_rules(scene_, first_of_the_rude + i); });
    }
    load_done_ = !chance.chance(0.4);
    if (load_done_) return;
    add_client("load client", [this] { run_load_client(scene_, load_done_); });
    load_client_ = processes_.back();
}

void compute_workload::heal() {
    for (const sim::process* each : processes_) {
        if (!s_.is_in_core(*each)) ++scene_.broken;
    }
    // A server that stood still at the healing goes on, and finds its timers due.
    if (s_.could_stand_still()) s_.pass(1s);
    scene_.healed = true;
    if (programs_) programs_->heal();
    account_.expect_deadlines();
    if (one_at_a_time_) scene_.quiet = true;
}

std::string compute_workload::unfinished() const {
    std::string names;
    if (!load_done_ && s_.is_in_core(*load_client_)) names = "the load client ";
    for (const auto& each : steady_) {
        if (!each->done() && s_.is_in_core(*processes_[each->number()])) {
            names += fmt::format("client {} ", each->number());
        }
    }
    return names;
}

void compute_workload::settle() {
    s_.within(
        patience_with(one_at_a_time_), "every client is answered",
        [&] { return unfinished().empty(); }, [&] { return unfinished(); });
    scene_.quiet = true;
    // With nothing else to do, no question is refused. Ten seconds after a program could not be
    // started, the server tries again.
    s_.pass(programs_ ? 15s : 5s);
    ask_last();
    if (!programs_) return;
    s_.within(
        10s, "every program is in its place", [&] { return programs_->unsettled(*pool_).empty(); },
        [&] { return programs_->unsettled(*pool_); });
}

void compute_workload::before_stop() {
    scene_.stopping = true;
    if (programs_) programs_->stop();
}

void compute_workload::ask_last() {
    bool answered = false;
    s_.start("last client", [&] {
        const auto q = job_question(5ms, "<last>");
        auto socket = plain_client::connect(scene_.port, patience_with(one_at_a_time_));
        if (!socket || !socket->send(q.text + "\n")) s_.fail("the last client cannot ask");
        ++scene_.asked;
        const auto answer = socket->line();
        s_.require(answer == q.answer,
                   fmt::format("the last question was answered '{}'", answer.value_or("(none)")));
        ++scene_.answered;
        answered = true;
    });
    s_.within(patience_with(one_at_a_time_), "the last question is answered",
              [&] { return answered; });
}

/// What clients were answered was counted, and what was counted was asked; and where no connection
/// broke, the numbers are equal.
void compute_workload::after_stop() {
    const auto check = [&](std::uint64_t received, std::uint64_t counted, std::string_view what) {
        s_.require(scene_.broken == 0 ? received == counted : received <= counted,
                   fmt::format("clients have received {} times {}, and {} are counted", received,
                               what, counted));
    };
    const counts& c = counted_;
    check(scene_.answered, c.answered, "an answer");
    check(scene_.busy, c.busy, "busy");
    check(scene_.late, c.late, "late");
    check(scene_.failed, c.failed, "failed");
    check(scene_.too_long, c.too_long, "too long");
    const auto begun = c.answered + c.busy + c.late + c.failed;
    s_.require(scene_.broken == 0 ? begun == account_.all() && c.abandoned == 0
                                  : begun + c.abandoned <= account_.all(),
               fmt::format("{} questions were begun; {} are counted, and {} as abandoned",
                           account_.all(), begun, c.abandoned));
    const auto ended = begun + c.too_long;
    s_.require(scene_.broken == 0 ? ended == scene_.asked : ended <= scene_.asked,
               fmt::format("{} questions were asked, and {} are counted", scene_.asked, ended));
}

}  // namespace

std::unique_ptr<workload> make_compute_workload(stage& s, const server_shape& shape,
                                                std::uint16_t port) {
    return std::make_unique<compute_workload>(s, shape, port, draw_options(s.chance()),
                                              std::nullopt);
}

void compute(stage& s) {
    const server_shape shape = draw_shape(s);
    const auto options = draw_options(s.chance());
    compute_workload load{s, shape, usual_port, options, draw_programs(s, shape, options)};
    sim::process& server =
        s.start("server", [&] { load.host([&](const auto& doors) { serve(s, shape, doors); }); });
    load.begin();
    s.pass(s.draw_time(15s));
    s.heal(load.clients());
    load.heal();
    if (s.chance().chance(0.25)) {
        s.pass(milliseconds{s.chance().between(0, 1000)});
        load.expect_breaks();
    } else {
        load.settle();
    }
    load.before_stop();
    stop_and_check(s, server, shape);
    load.after_stop();
}

}  // namespace sluice::worlds
