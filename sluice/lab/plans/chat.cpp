// Chat: what it costs to tell one message to many.
#include <fmt/format.h>

#include <array>
#include <string>
#include <utility>

#include "sluice/lab/plan.hpp"

namespace sluice::lab {
namespace {

struct chat_load {
    std::uint64_t members;
    double rate;  // messages a second; 0: as many as there can be
};

std::expected<sample, std::string> take(const rig& where, const std::string& engine,
                                        const chat_load& what) {
    std::vector<std::string> server{"chat",          "serve", "--listen",  address_word,
                                    "--engine",      engine,  "--workers", "1",
                                    "--max-clients", "15000", "--quiet"};
    std::vector<std::string> asking{"lab",        "load",      "chat",
                                    address_word, "--members", std::to_string(what.members)};
    if (what.rate > 0) {
        asking.emplace_back("--rate");
        asking.push_back(fmt::format("{:.0f}", what.rate));
    }
    for (auto& word : where.timing()) asking.push_back(std::move(word));
    auto run =
        where.serve(std::move(server), {where.cores.server}, std::move(asking), {where.cores.load});
    if (!run) return std::unexpected{std::move(run.error())};
    auto s = sample_of_messages(std::move(*run), "delivery");
    if (what.rate > 0) rank_by_latency(s);
    return s;
}

planned_case make_case(const rig& where, const chat_load& what, test_case about) {
    planned_case made{.about = std::move(about), .variants = {}};
    for (const char* engine : {"epoll", "uring"}) {
        made.variants.push_back({.name = std::string{"event "} + engine,
                                 .remarks = {},
                                 .take = [&where, name = std::string{engine}, what] {
                                     return take(where, name, what);
                                 }});
    }
    return made;
}

}  // namespace

std::expected<std::vector<planned_case>, std::string> chat_plan(rig& where) {
    const bool quick = where.asked.how == effort::quick;
    constexpr double paced = 2000;
    constexpr std::uint64_t paced_members = 100;
    const std::vector<std::uint64_t> usual =
        quick ? std::vector<std::uint64_t>{100} : std::vector<std::uint64_t>{10, 100, 1000};
    const auto& members = where.asked.clients.empty() ? usual : where.asked.clients;
    std::vector<planned_case> cases;
    cases.reserve(members.size() + 1);
    for (const auto many : members) {
        cases.push_back(make_case(
            where, {.members = many, .rate = 0},
            describe("chat", fmt::format("{} member{}", many, many == 1 ? "" : "s"),
                     fmt::format("How many deliveries a second can one core make, where each "
                                 "message of 64 bytes goes to {} member{}?",
                                 many, many == 1 ? "" : "s"),
                     point{.line = "64 B", .axis = "members", .x = static_cast<double>(many)})));
    }
    // In a moment so short p99 is chance.
    if (quick) return cases;
    cases.push_back(make_case(
        where, {.members = paced_members, .rate = paced},
        describe("chat", fmt::format("{:.0f} messages a second", paced),
                 fmt::format("At a constant {:.0f} messages a second to {} members, how long after "
                             "it was due did a message reach a member?",
                             paced, paced_members))));
    return cases;
}

}  // namespace sluice::lab
