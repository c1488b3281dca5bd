// One and the same server under two names: whatever difference is found is the lab's own mistake.
#include <string>
#include <utility>

#include "sluice/lab/plan.hpp"

namespace sluice::lab {
namespace {

std::expected<sample, std::string> take(const rig& where) {
    std::vector<std::string> load{"lab", "load", "echo", address_word, "--connections", "16"};
    for (auto& word : where.timing()) load.push_back(std::move(word));
    auto run =
        where.serve({"compute", "serve", "--listen", address_word, "--work", "echo", "--framing",
                     "raw", "--quiet", "--model", "event", "--engine", "epoll", "--workers", "1"},
                    {where.cores.server}, std::move(load), {where.cores.load});
    if (!run) return std::unexpected{std::move(run.error())};
    return sample_of_messages(std::move(*run), "message");
}

}  // namespace

plan_cases same_plan(rig& where) {
    planned_case made{.about = describe("same", "16 connections, 64 B",
                                        "Does the lab find a difference where there is none?"),
                      .variants = {}};
    for (const char* name : {"A", "A again"}) {
        made.variants.push_back(
            {.name = name, .remarks = {}, .take = [&where] { return take(where); }});
    }
    std::vector<planned_case> cases;
    cases.push_back(std::move(made));
    return cases;
}

}  // namespace sluice::lab
