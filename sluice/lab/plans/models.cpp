// Models: who answers most questions, by the number of clients and by the work in a question.
#include <fmt/format.h>

#include <string>
#include <utility>

#include "sluice/lab/plan.hpp"

namespace sluice::lab {
namespace {

struct model {
    std::string name;
    std::vector<std::string> words;
};

std::vector<model> models() {
    return {{.name = "sync", .words = {"--model", "sync"}},
            {.name = "fork", .words = {"--model", "fork"}},
            {.name = "thread", .words = {"--model", "thread"}},
            {.name = "pool", .words = {"--model", "pool"}},
            {.name = "event epoll", .words = {"--model", "event", "--engine", "epoll"}},
            {.name = "event uring", .words = {"--model", "event", "--engine", "uring"}}};
}

struct load {
    unsigned question;
    std::uint64_t clients;
};

std::expected<sample, std::string> take(const rig& where, const model& with, const load& what) {
    std::vector<std::string> server{"compute", "serve",   "--listen", address_word, "--framing",
                                    "line",    "--queue", "20000",    "--quiet"};
    server.insert(server.end(), with.words.begin(), with.words.end());
    std::vector<std::string> asking{"lab",         "load",          "ask",
                                    address_word,  "--question",    std::to_string(what.question),
                                    "--reconnect", "--connections", std::to_string(what.clients)};
    for (auto& word : where.timing()) asking.push_back(std::move(word));
    // A server of several threads is to have several cores: with two, the load shares them.
    const bool shares = where.cores.all.size() <= 2;
    if (shares && !where.cores.one_only) asking.emplace_back("--sleep");
    auto run = where.serve(std::move(server), shares ? where.cores.all : where.cores.but_load,
                           std::move(asking),
                           shares ? where.cores.all : std::vector<int>{where.cores.load});
    if (!run) return std::unexpected{std::move(run.error())};
    auto s = sample_of_messages(std::move(*run), "answer");
    if (shares) {
        s.remarks.emplace_back(
            "Server and load share all cores: there are too few for the load to have its own.");
    }
    return s;
}

planned_case make_case(const rig& where, const load& what, test_case about) {
    planned_case made{.about = std::move(about), .variants = {}};
    for (const auto& each : models()) {
        made.variants.push_back({.name = each.name, .remarks = {}, .take = [&where, each, what] {
                                     return take(where, each, what);
                                 }});
    }
    return made;
}

}  // namespace

std::expected<std::vector<planned_case>, std::string> models_plan(rig& where) {
    constexpr unsigned small = 1;   // nothing but the connection
    constexpr unsigned large = 27;  // a quarter of a millisecond
    const bool quick = where.asked.how == effort::quick;
    const std::vector<std::uint64_t> usual =
        quick ? std::vector<std::uint64_t>{1, 64} : std::vector<std::uint64_t>{1, 4, 16, 64, 256};
    const auto& clients = where.asked.clients.empty() ? usual : where.asked.clients;
    std::vector<planned_case> cases;
    const auto add = [&](unsigned question, std::uint64_t many) {
        const auto who = fmt::format("{} client{}", many, many == 1 ? "" : "s");
        cases.push_back(make_case(
            where, {.question = question, .clients = many},
            describe("models", fmt::format("fib({}), {}", question, who),
                     question == small
                         ? fmt::format("With next to no work in a question, how many connections "
                                       "are answered a second, asked by {}?",
                                       who)
                         : fmt::format("With work for a core in every question, how many are "
                                       "answered a second, asked by {}?",
                                       who),
                     point{.line = fmt::format("fib({})", question),
                           .axis = "clients",
                           .x = static_cast<double>(many)})));
    };
    for (const auto many : clients) add(small, many);
    if (quick && where.asked.clients.empty()) {
        constexpr std::uint64_t some = 8;
        add(large, some);
        return cases;
    }
    // What a core computes is the same for more clients than there are cores; a few show that.
    constexpr std::uint64_t enough = 64;
    for (const auto many : clients) {
        if (many <= enough || !where.asked.clients.empty()) add(large, many);
    }
    if (!quick && where.asked.clients.empty()) {
        constexpr std::uint64_t some = 16;
        for (const unsigned question : {15U, 20U, 24U, 30U}) {
            cases.push_back(make_case(
                where, {.question = question, .clients = some},
                describe("models", fmt::format("{} clients, fib({})", some, question),
                         fmt::format("How does the work in a question change who is the fastest? "
                                     "Here fib({}), asked by {} clients.",
                                     question, some),
                         point{.line = fmt::format("{} clients", some),
                               .axis = "n of fib(n)",
                               .x = static_cast<double>(question)})));
        }
    }
    return cases;
}

}  // namespace sluice::lab
