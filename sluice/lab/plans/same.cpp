// The same plan: one server under two names, to find the lab's own errors.
#include <string>
#include <utility>

#include "sluice/lab/plan.hpp"

namespace sluice::lab {
namespace {

std::expected<sample, std::string> take(const testbed& bed) {
    std::vector<std::string> load{"lab", "load", "echo", address_word, "--connections", "16"};
    for (auto& word : bed.timing()) load.push_back(std::move(word));
    auto run =
        bed.serve({"compute", "serve", "--listen", address_word, "--work", "echo", "--framing",
                   "raw", "--quiet", "--model", "event", "--engine", "epoll", "--workers", "1"},
                  {bed.cores.server}, std::move(load), {bed.cores.load});
    if (!run) return std::unexpected{std::move(run.error())};
    return sample_of_messages(std::move(*run), "message");
}

}  // namespace

plan_cases same_plan(testbed& bed) {
    planned_case made{.about = describe("same", "16 connections, 64 B",
                                        "Does the lab find a difference where there is none?"),
                      .variants = {}};
    for (const char* name : {"A", "A again"}) {
        made.variants.push_back(
            {.name = name, .footnotes = {}, .take = [&bed] { return take(bed); }});
    }
    std::vector<planned_case> cases;
    cases.push_back(std::move(made));
    return cases;
}

}  // namespace sluice::lab
