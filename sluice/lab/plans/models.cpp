// The models plan: answers per second per model, by clients and by work per question.
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

struct workload {
    unsigned question;
    std::uint64_t clients;
};

std::expected<sample, std::string> take(const testbed& bed, const model& with,
                                        const workload& what) {
    std::vector<std::string> server{"compute", "serve",   "--listen", address_word, "--framing",
                                    "line",    "--queue", "20000",    "--quiet"};
    server.insert(server.end(), with.words.begin(), with.words.end());
    std::vector<std::string> load{"lab",         "load",          "ask",
                                  address_word,  "--question",    std::to_string(what.question),
                                  "--reconnect", "--connections", std::to_string(what.clients)};
    for (auto& word : bed.timing()) load.push_back(std::move(word));
    // A server with several threads gets several cores; with two or fewer, the load shares them.
    const bool shares = bed.cores.all.size() <= 2;
    if (shares && !bed.cores.one_only) load.emplace_back("--sleep");
    auto run =
        bed.serve(std::move(server), shares ? bed.cores.all : bed.cores.but_load, std::move(load),
                  shares ? bed.cores.all : std::vector<int>{bed.cores.load});
    if (!run) return std::unexpected{std::move(run.error())};
    auto s = sample_of_messages(std::move(*run), "answer");
    if (shares) {
        s.footnotes.emplace_back(
            "Server and load share all cores: there are too few for the load to have its own.");
    }
    return s;
}

planned_case make_case(const testbed& bed, const workload& what, test_case about) {
    planned_case made{.about = std::move(about), .variants = {}};
    for (const auto& each : models()) {
        made.variants.push_back({.name = each.name, .footnotes = {}, .take = [&bed, each, what] {
                                     return take(bed, each, what);
                                 }});
    }
    return made;
}

}  // namespace

std::expected<std::vector<planned_case>, std::string> models_plan(testbed& bed) {
    constexpr unsigned small = 1;   // cost: the connection alone
    constexpr unsigned large = 27;  // cost: a quarter of a millisecond
    const bool quick = bed.asked.how == run_length::quick;
    const std::vector<std::uint64_t> usual =
        quick ? std::vector<std::uint64_t>{1, 64} : std::vector<std::uint64_t>{1, 4, 16, 64, 256};
    const auto& clients = bed.asked.clients.empty() ? usual : bed.asked.clients;
    std::vector<planned_case> cases;
    const auto add = [&](unsigned question, std::uint64_t many) {
        const auto clients_text = fmt::format("{} client{}", many, many == 1 ? "" : "s");
        cases.push_back(make_case(
            bed, {.question = question, .clients = many},
            describe("models", fmt::format("fib({}), {}", question, clients_text),
                     question == small
                         ? fmt::format("With next to no work in a question, how many connections "
                                       "are answered a second, asked by {}?",
                                       clients_text)
                         : fmt::format("With work for a core in every question, how many are "
                                       "answered a second, asked by {}?",
                                       clients_text),
                     point{.line = fmt::format("fib({})", question),
                           .axis = "clients",
                           .x = static_cast<double>(many)})));
    };
    for (const auto many : clients) add(small, many);
    if (quick && bed.asked.clients.empty()) {
        constexpr std::uint64_t some = 8;
        add(large, some);
        return cases;
    }
    // Beyond a client per core the computing rate is constant; a few numbers show that.
    constexpr std::uint64_t enough = 64;
    for (const auto many : clients) {
        if (many <= enough || !bed.asked.clients.empty()) add(large, many);
    }
    if (!quick && bed.asked.clients.empty()) {
        constexpr std::uint64_t some = 16;
        for (const unsigned question : {15U, 20U, 24U, 30U}) {
            cases.push_back(make_case(
                bed, {.question = question, .clients = some},
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
