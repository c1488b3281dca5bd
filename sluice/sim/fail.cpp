// Implements the report of a failure, which a handler of SIGABRT prints.
#include "sluice/sim/fail.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "sluice/sim/simulated_kernel.hpp"

namespace sluice::sim {
namespace {

simulated_kernel* in_place = nullptr;

// abort(3) is called by the thread itself, so this may do what other handlers may not.
void on_abort(int /*number*/) {
    if (in_place == nullptr) return;
    simulated_kernel& k = *std::exchange(in_place, nullptr);
    constexpr std::size_t shown = 200;
    const std::string calls = k.trace().keeps_all() ? k.trace().text() : k.trace().last(shown);
    const std::string text = fmt::format("{}{}seed {}, virtual time {} ns\n", calls,
                                         k.scheduler().who_waits(), k.seed(), k.scheduler().now());
    std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace

void fail(std::string_view what) noexcept {
    fmt::print(stderr, "simulation failed: {}\n", what);
    std::abort();
}

reported::reported(simulated_kernel& k) noexcept : before_{std::signal(SIGABRT, &on_abort)} {
    in_place = &k;
}

reported::~reported() {
    in_place = nullptr;
    std::signal(SIGABRT, before_);
}

}  // namespace sluice::sim
