// Implements the clients of the world of compute.
#include "tests/worlds/compute_clients.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "sluice/compute/client/load_client.hpp"
#include "sluice/compute/refusals.hpp"
#include "sluice/io/run.hpp"
#include "sluice/net/address.hpp"
#include "sluice/os/clock.hpp"
#include "tests/worlds/secure.hpp"
#include "tests/worlds/server.hpp"

namespace sluice::worlds {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

// Longer than anything takes once the world has healed.
constexpr auto long_time = 60s;

milliseconds draw_time(sim::random& chance, milliseconds most) {
    return milliseconds{chance.between(0, most.count())};
}

/// Lets `time` pass, less once the scene is quiet.
void hold(const compute_scene& scene, milliseconds time) {
    constexpr auto step = 50ms;
    for (auto left = time; left > 0ms && !scene.quiet; left -= step)
        os::sleep_for(std::min(left, step));
}

}  // namespace

compute_question compute_scene::draw(std::size_t client, std::string_view tag) const {
    return programs != nullptr ? draw_program_question(s, tag, max_line)
                               : draw_question(s, client, tag, max_line);
}

void compute_scene::take_answer(const compute_question& q, std::string_view answer) {
    // It has passed on what became of it, which was judged there.
    s.require(programs == nullptr || q.text.empty() || answer == programs->outcome_of(q.text),
              fmt::format("'{}' was answered '{}'", q.text, answer));
    const bool may_fail = programs != nullptr && answer == compute::refusal::failed;
    if (answer == q.answer || may_fail) {
        ++(answer == compute::refusal::failed ? failed : answered);
        return;
    }
    const bool is_busy = refuses && answer == compute::refusal::busy;
    const bool is_late = hurries && answer == compute::refusal::late;
    s.require(q.is_job && (is_busy || is_late),
              fmt::format("'{}' was answered '{}'", q.text, answer));
    // A program may be late with a question that it has read.
    if (is_busy || programs == nullptr) account.refused(q);
    ++(is_busy ? busy : late);
}

void steady_client::run() {
    while (!done_) {
        const bool was_healed = scene_.healed;
        done_ = converse() && was_healed;
        wait_a_while();
    }
}

bool steady_client::lost(bool may_break, std::string_view what) {
    scene_.s.require(may_break || scene_.stopping,
                     fmt::format("client {} lost a healthy connection: {}", number_, what));
    ++scene_.broken;
    return false;
}

std::vector<compute_question> steady_client::draw_questions() {
    constexpr std::int64_t most = 6;
    std::vector<compute_question> drawn;
    for (auto left = scene_.s.chance().between(0, most); left > 0; --left) {
        drawn.push_back(scene_.draw(number_, fmt::format("<{}/{}>", number_, questions_++)));
    }
    return drawn;
}

bool steady_client::send_in_pieces(plain_client& to, std::string_view text) {
    auto& chance = scene_.s.chance();
    while (!text.empty()) {
        const auto n = chance.chance(0.4) ? 1 + chance.below(text.size()) : text.size();
        if (!to.send(text.substr(0, n))) return false;
        text.remove_prefix(n);
        if (chance.chance(0.2)) os::sleep_for(draw_time(chance, 20ms));
    }
    return true;
}

bool steady_client::converse() {
    auto& chance = scene_.s.chance();
    const bool may_break = !scene_.healed;
    auto socket = plain_client::connect(
        scene_.port, may_break ? 500ms + draw_time(chance, 2500ms) : milliseconds{long_time});
    // Before the server listens, and after it has stopped.
    if (!socket) return false;

    const auto questions = draw_questions();
    const bool pipelines = chance.chance(0.6);
    const bool ends_in_long = chance.chance(0.1);
    const bool shuts_first = pipelines && chance.chance(0.4);
    const std::string_view line_end = chance.chance(0.1) ? "\r\n" : "\n";
    std::string text;
    for (const auto& q : questions) {
        (text += q.text) += line_end;
        ++scene_.asked;
        if (pipelines) continue;
        if (!send_in_pieces(*socket, text)) return lost(may_break, "send");
        const auto answer = socket->line();
        if (!answer) return lost(may_break, fmt::format("no answer to '{}'", q.text));
        scene_.take_answer(q, *answer);
        text.clear();
    }
    if (ends_in_long) {
        ++scene_.asked;
        text += std::string(scene_.max_line + 1 + chance.below(scene_.max_line), 'y');
        text += line_end;
        if (chance.chance(0.5)) text += "fib 5\n";  // is not answered
    } else if (shuts_first && !questions.empty() && chance.chance(0.5) &&
               !questions.back().text.empty()) {
        text.resize(text.size() - line_end.size());
    }
    if (!send_in_pieces(*socket, text)) return lost(may_break, "send");
    if (shuts_first) socket->shut();
    for (std::size_t i = 0; pipelines && i < questions.size(); ++i) {
        const auto answer = socket->line();
        if (!answer) return lost(may_break, fmt::format("no answer to '{}'", questions[i].text));
        scene_.take_answer(questions[i], *answer);
    }
    if (ends_in_long) {
        const auto answer = socket->line();
        if (!answer) return lost(may_break, "no answer to a question that is too long");
        scene_.s.require(*answer == compute::refusal::too_long,
                         fmt::format("a question that is too long was answered '{}'", *answer));
        ++scene_.too_long;
    } else if (!shuts_first) {
        if (chance.chance(0.5)) return true;
        socket->shut();
    }
    const auto rest = socket->some();
    if (!rest) return lost(may_break, "no end");
    scene_.s.require(
        rest->empty(),
        fmt::format("client {} was answered '{}', and has asked nothing", number_, *rest));
    return true;
}

void break_rules(compute_scene& scene, std::size_t number) {
    auto& chance = scene.s.chance();
    std::uint64_t questions = 0;
    const auto draw_text = [&] {
        std::string text;
        for (auto left = chance.between(1, 5); left > 0; --left) {
            text += scene.draw(number, fmt::format("<!{}/{}>", number, questions++)).text;
            text += '\n';
        }
        // Often a part of the last question only.
        if (chance.chance(0.5)) text.resize(1 + chance.below(text.size()));
        return text;
    };
    const auto send = [&](plain_client& to, std::string_view text) {
        scene.asked += 1 + static_cast<std::uint64_t>(std::ranges::count(text, '\n'));
        return to.send(text);
    };
    while (!scene.quiet) {
        hold(scene, draw_time(chance, 500ms));
        auto socket = plain_client::connect(scene.port, 1s);
        if (!socket) continue;
        ++scene.broken;
        switch (chance.below(6)) {
            case 0: {  // never reads
                const std::string line = "echo " + std::string(scene.max_line - 5, 'z') + '\n';
                for (auto left = chance.below(300); left > 0; --left) {
                    if (scene.quiet || !send(*socket, line)) break;
                }
                // Some keep the connection, however quiet the scene is.
                if (chance.chance(0.3)) os::sleep_for(2 * long_time);
                hold(scene, draw_time(chance, 8s));
                break;
            }
            case 1:  // resets
                static_cast<void>(send(*socket, draw_text()));
                hold(scene, draw_time(chance, 600ms));
                socket->reset();
                break;
            case 2:  // leaves
                static_cast<void>(send(*socket, draw_text()));
                hold(scene, draw_time(chance, 200ms));
                break;
            case 3:  // falls silent
                static_cast<void>(send(*socket, draw_text()));
                hold(scene, draw_time(chance, 8s));
                break;
            case 4:  // never ends a question
                for (auto left = chance.between(1, 20); left > 0 && !scene.quiet; --left) {
                    if (!send(*socket, std::string(1 + chance.below(scene.max_line), 'e'))) break;
                    hold(scene, draw_time(chance, 200ms));
                }
                break;
            default:  // ends in mid-question
                static_cast<void>(send(*socket, draw_text()));
                socket->shut();
                hold(scene, draw_time(chance, 1s));
                break;
        }
    }
}

void run_load_client(compute_scene& scene, bool& done) {
    auto& chance = scene.s.chance();
    while (!done) {
        const bool may_break = !scene.healed;
        wait_a_while();
        auto engine = make_client_engine(scene.s);
        if (!engine) continue;
        const bool has_job = chance.chance(0.5) || scene.programs != nullptr;
        const auto q = has_job ? job_question(draw_time(chance, 20ms), "load")
                               : compute_question{.text = "echo load", .answer = "load"};
        const auto clients = static_cast<unsigned>(chance.between(1, 3));
        const auto requests = static_cast<std::uint64_t>(chance.between(1, 5));
        const std::uint64_t all = clients * requests;
        compute::load_client load{
            **engine,
            {.where = {net::address::loopback(scene.port)},
             .over = client_tls(),
             .question = q.text,
             .clients = clients,
             .requests = requests,
             .reconnect = chance.chance(0.5),
             .timeout = may_break ? 500ms + draw_time(chance, 2500ms) : milliseconds{long_time}}};
        scene.asked += all;
        auto result = io::run(**engine, load.run({}));

        scene.s.require(
            !result.answer || *result.answer == q.answer,
            fmt::format("a load of '{}' was answered '{}'", q.text, result.answer.value_or("")));
        scene.s.require(!result.errors.contains("another answer"),
                        fmt::format("a load of '{}' had several answers", q.text));
        const auto count_of = [&](std::string_view refusal) {
            const auto found = result.errors.find(std::string{refusal});
            return found != result.errors.end() ? found->second : 0;
        };
        const auto busy = count_of(compute::refusal::busy);
        const auto late = count_of(compute::refusal::late);
        const auto failed = count_of(compute::refusal::failed);
        scene.s.require((busy == 0 || (q.is_job && scene.refuses)) &&
                            (late == 0 || (q.is_job && scene.hurries)) &&
                            (failed == 0 || scene.programs != nullptr),
                        fmt::format("a load of '{}' was refused", q.text));
        scene.answered += result.answered;
        scene.busy += busy;
        scene.late += late;
        scene.failed += failed;
        if (result.lost) ++scene.broken;
        const bool complete = result.answered + busy + late + failed == all;
        scene.s.require(complete || may_break || !result.reached || scene.stopping,
                        fmt::format("a load had {} answers of {}", result.answered, all));
        done = complete && !may_break;
    }
}

}  // namespace sluice::worlds
