// The chat plan: the cost of a delivery per engine and number of members.
#include <fmt/format.h>

#include <array>
#include <string>
#include <utility>

#include "sluice/lab/plan.hpp"

namespace sluice::lab {
namespace {

struct chat_load {
    std::uint64_t members;
    double rate;  // messages per second; 0: no limit
};

std::expected<sample, std::string> take(const testbed& bed, const std::string& engine,
                                        const chat_load& shape) {
    std::vector<std::string> server{"chat",          "serve", "--listen",  address_word,
                                    "--engine",      engine,  "--workers", "1",
                                    "--max-clients", "15000", "--quiet"};
    std::vector<std::string> load{"lab",        "load",      "chat",
                                  address_word, "--members", std::to_string(shape.members)};
    if (shape.rate > 0) {
        load.emplace_back("--rate");
        load.push_back(fmt::format("{:.0f}", shape.rate));
    }
    for (auto& word : bed.timing()) load.push_back(std::move(word));
    auto run = bed.serve(std::move(server), {bed.cores.server}, std::move(load), {bed.cores.load});
    if (!run) return std::unexpected{std::move(run.error())};
    auto s = sample_of_messages(std::move(*run), "delivery");
    if (shape.rate > 0) rank_by_latency(s);
    return s;
}

planned_case make_case(const testbed& bed, const chat_load& shape, test_case about) {
    planned_case made{.about = std::move(about), .variants = {}};
    for (const char* engine : {"epoll", "uring"}) {
        made.variants.push_back(
            {.name = std::string{"event "} + engine,
             .footnotes = {},
             .take = [&bed, name = std::string{engine}, shape] { return take(bed, name, shape); }});
    }
    return made;
}

}  // namespace

std::expected<std::vector<planned_case>, std::string> chat_plan(testbed& bed) {
    const bool quick = bed.asked.how == run_length::quick;
    constexpr double paced = 2000;
    constexpr std::uint64_t paced_members = 100;
    const std::vector<std::uint64_t> usual =
        quick ? std::vector<std::uint64_t>{100} : std::vector<std::uint64_t>{10, 100, 1000};
    const auto& members = bed.asked.clients.empty() ? usual : bed.asked.clients;
    std::vector<planned_case> cases;
    cases.reserve(members.size() + 1);
    for (const auto count : members) {
        cases.push_back(make_case(
            bed, {.members = count, .rate = 0},
            describe("chat", fmt::format("{} member{}", count, count == 1 ? "" : "s"),
                     fmt::format("How many deliveries a second can one core make, where each "
                                 "message of 64 bytes goes to {} member{}?",
                                 count, count == 1 ? "" : "s"),
                     point{.line = "64 B", .axis = "members", .x = static_cast<double>(count)})));
    }
    // Quick samples are too short for a p99.
    if (quick) return cases;
    cases.push_back(make_case(
        bed, {.members = paced_members, .rate = paced},
        describe("chat", fmt::format("{:.0f} messages a second", paced),
                 fmt::format("At a constant {:.0f} messages a second to {} members, how long after "
                             "it was due did a message reach a member?",
                             paced, paced_members))));
    return cases;
}

}  // namespace sluice::lab
