// The world of compute: questions with jobs, small queues and deadlines, and clients of all
// manners.
#include <fmt/format.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sluice/compute/server/compute.hpp"
#include "tests/worlds/compute_clients.hpp"
#include "tests/worlds/compute_questions.hpp"
#include "tests/worlds/server.hpp"
#include "tests/worlds/waiting.hpp"
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

/// The service's counters at its end.
struct counts {
    std::uint64_t answered = 0;
    std::uint64_t busy = 0;
    std::uint64_t late = 0;
    std::uint64_t failed = 0;
    std::uint64_t too_long = 0;
    std::uint64_t abandoned = 0;

    explicit counts(const compute::compute_counters& c) noexcept
        : answered{c.at_once + c.worked_on},
          busy{c.busy},
          late{c.late},
          failed{c.failed},
          too_long{c.too_long},
          abandoned{c.abandoned} {}
    counts() = default;
};

/// What clients were answered was counted, and what was counted was asked; and where no connection
/// broke, the numbers are equal.
void check_counts(const compute_scene& scene, const counts& c) {
    const auto& s = scene.s;
    const auto check = [&](std::uint64_t received, std::uint64_t counted, std::string_view what) {
        s.require(scene.broken == 0 ? received == counted : received <= counted,
                  fmt::format("clients have received {} times {}, and {} are counted", received,
                              what, counted));
    };
    check(scene.answered, c.answered, "an answer");
    check(scene.busy, c.busy, "busy");
    check(scene.late, c.late, "late");
    check(scene.failed, c.failed, "failed");
    check(scene.too_long, c.too_long, "too long");
    const auto begun = c.answered + c.busy + c.late + c.failed;
    s.require(scene.broken == 0 ? begun == scene.account.all() && c.abandoned == 0
                                : begun + c.abandoned <= scene.account.all(),
              fmt::format("{} questions were begun; {} are counted, and {} as abandoned",
                          scene.account.all(), begun, c.abandoned));
    const auto ended = begun + c.too_long;
    s.require(scene.broken == 0 ? ended == scene.asked : ended <= scene.asked,
              fmt::format("{} questions were asked, and {} are counted", scene.asked, ended));
}

}  // namespace

void compute(stage& s) {
    auto& chance = s.chance();
    const server_shape shape = draw_shape(s);
    const compute::compute_options options = draw_options(chance);
    const bool one_at_a_time = shape.model == model::kind::sync;
    const bool has_threads = shape.model == model::kind::event;
    question_account account{s, options.deadline};
    compute_scene scene{.s = s,
                        .account = account,
                        .port = usual_port,
                        .max_line = options.max_line,
                        .refuses = has_threads,
                        .hurries = has_threads && options.deadline != io::duration::max()};
    counts counted;
    sim::process& server = s.start("server", [&] {
        compute::compute_service service{make_world_handler(account), options};
        serve(s, shape,
              [&] { return std::vector<door>{{.port = usual_port, .serve = service.service()}}; });
        counted = counts{service.counted()};
    });

    std::vector<std::unique_ptr<steady_client>> clients;
    const auto add_client = [&] {
        clients.push_back(std::make_unique<steady_client>(scene, clients.size()));
        s.start(fmt::format("client {}", clients.size() - 1),
                [client = clients.back().get()] { client->run(); });
    };
    for (auto left = s.draw_clients(1, 4); left > 0; --left) add_client();
    constexpr std::size_t first_of_the_rude = 100;
    for (std::size_t i = 0, all = s.draw_clients(0, 3); i < all && chance.chance(0.5); ++i) {
        s.start(fmt::format("rude client {}", i),
                [&scene, i] { break_rules(scene, first_of_the_rude + i); });
    }
    bool load_done = !chance.chance(0.4);
    if (!load_done) s.start("load client", [&] { run_load_client(scene, load_done); });

    s.pass(milliseconds{chance.between(10, 15'000)});
    const bool stalls = s.kernel().faults().process_stall > 0;
    s.heal();
    // A process that stood still at the healing goes on, and finds its timers due.
    if (stalls) s.pass(10s);
    scene.healed = true;
    account.expect_deadlines();
    // Under the sync model a client waits for those before it, until the server's limits end them.
    if (one_at_a_time) scene.quiet = true;
    const auto soon = one_at_a_time ? 60s : 10s;
    const bool stops_at_work = chance.chance(0.25);
    if (stops_at_work) {
        s.pass(milliseconds{chance.between(0, 1000)});
    } else {
        const auto unfinished = [&] {
            std::string names = load_done ? "" : "the load client ";
            for (const auto& each : clients) {
                if (!each->done()) names += fmt::format("client {} ", each->number());
            }
            return names;
        };
        s.within(
            soon, "every client is answered", [&] { return unfinished().empty(); }, unfinished);
        scene.quiet = true;
        // With nothing else to do, no question is refused.
        s.pass(5s);
        bool answered = false;
        s.start("last client", [&] {
            const auto q = job_question(5ms, "<last>");
            auto socket = plain_client::connect(usual_port, soon);
            if (!socket || !socket->send(q.text + "\n")) s.fail("the last client cannot ask");
            ++scene.asked;
            const auto answer = socket->line();
            s.require(answer == q.answer, fmt::format("the last question was answered '{}'",
                                                      answer.value_or("(none)")));
            ++scene.answered;
            answered = true;
        });
        s.within(soon, "the last question is answered", [&] { return answered; });
    }
    scene.stopping = true;
    if (stops_at_work) ++scene.broken;
    stop_and_check(s, server, shape);
    check_counts(scene, counted);
}

}  // namespace sluice::worlds
