// The echo plan: the cost of a message per engine, by connections and message size.
#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <utility>

#include "sluice/lab/plan.hpp"

namespace sluice::lab {
namespace {

struct engine {
    std::string name;
    std::vector<std::string> words;
    std::vector<std::string> footnotes;
    bool shares_core = false;  ///< its threads share one core
};

std::vector<engine> engines() {
    return {
        {.name = "event epoll",
         .words = {"--model", "event", "--engine", "epoll", "--workers", "1"},
         .footnotes = {}},
        {.name = "event uring",
         .words = {"--model", "event", "--engine", "uring", "--workers", "1"},
         .footnotes = {}},
        {.name = "thread",
         .words = {"--model", "thread"},
         .footnotes = {"A thread a connection, all on the one core that the others have, too."},
         .shares_core = true},
    };
}

struct shape {
    std::uint64_t connections;
    std::uint64_t size;
    double rate;  // messages per second; 0: no limit
};

std::expected<sample, std::string> take(testbed& bed, const engine& with, const shape& what) {
    std::vector<std::string> server{"compute", "serve",      "--listen",  address_word,
                                    "--work",  "echo",       "--framing", "raw",
                                    "--quiet", "--max-line", "1M"};
    server.insert(server.end(), with.words.begin(), with.words.end());
    std::vector<std::string> load{"lab",           "load",
                                  "echo",          address_word,
                                  "--connections", std::to_string(what.connections),
                                  "--size",        std::to_string(what.size)};
    if (what.rate > 0) {
        load.emplace_back("--rate");
        load.push_back(fmt::format("{}", what.rate));
    }
    for (auto& word : bed.timing()) load.push_back(std::move(word));
    auto run = bed.serve(std::move(server), {bed.cores.server}, std::move(load), {bed.cores.load});
    if (!run) return std::unexpected{std::move(run.error())};
    auto s = sample_of_messages(std::move(*run), "message");
    // Its threads wait for each other by design: no disturbance.
    if (with.shares_core) s.run_queue_wait = 0;
    if (what.rate > 0) rank_by_latency(s);
    return s;
}

planned_case make_case(testbed& bed, const shape& what, test_case about) {
    planned_case made{.about = std::move(about), .variants = {}};
    for (const auto& each : engines()) {
        made.variants.push_back({.name = each.name,
                                 .footnotes = each.footnotes,
                                 .take = [&bed, each, what] { return take(bed, each, what); }});
    }
    return made;
}

}  // namespace

std::expected<std::vector<planned_case>, std::string> echo_plan(testbed& bed) {
    constexpr std::uint64_t usual_connections = 64;
    constexpr std::uint64_t usual_size = 64;
    constexpr double paced = 20'000;
    const bool quick = bed.asked.how == run_length::quick;
    auto connections = bed.asked.clients;
    if (connections.empty()) {
        connections =
            quick ? std::vector<std::uint64_t>{1, 64} : std::vector<std::uint64_t>{1, 8, 64, 512};
    }
    const std::vector<std::uint64_t> sizes =
        quick ? std::vector<std::uint64_t>{} : std::vector<std::uint64_t>{1024, 16384, 65536};
    std::vector<planned_case> cases;
    for (const auto n : connections) {
        const auto many = fmt::format("{} connection{}", n, n == 1 ? "" : "s");
        cases.push_back(make_case(
            bed, {.connections = n, .size = usual_size, .rate = 0},
            describe("echo", fmt::format("{}, {} B", many, usual_size),
                     fmt::format("How many messages of {} bytes can one core echo to {}, each with "
                                 "one under way?",
                                 usual_size, many),
                     point{.line = fmt::format("{} B", usual_size),
                           .axis = "connections",
                           .x = static_cast<double>(n)})));
    }
    for (const auto size : sizes) {
        cases.push_back(make_case(
            bed, {.connections = usual_connections, .size = size, .rate = 0},
            describe(
                "echo", fmt::format("{} connections, {} KiB", usual_connections, size / 1024),
                fmt::format("With {} KiB a message, how much is the engine's, and how much the "
                            "copying's?",
                            size / 1024),
                point{.line = fmt::format("{} connections", usual_connections),
                      .axis = "bytes a message",
                      .x = static_cast<double>(size)})));
    }
    cases.push_back(make_case(
        bed, {.connections = usual_connections, .size = usual_size, .rate = paced},
        describe("echo", fmt::format("{:.0f} messages a second", paced),
                 fmt::format("At a constant {:.0f} messages a second over {} connections, how long "
                             "after it was due was each answer there?",
                             paced, usual_connections))));
    return cases;
}

}  // namespace sluice::lab
