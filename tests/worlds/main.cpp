// simulate: runs seeds of simulated worlds, shortens a failing one, and looks for planted bugs.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "sluice/chat/server/names.hpp"
#include "tests/worlds/runner.hpp"
#include "tests/worlds/secure.hpp"
#include "tests/worlds/setting.hpp"
#include "tests/worlds/worlds.hpp"

namespace sluice::worlds {
namespace {

struct request {
    std::vector<const world*> of;
    setting how;
    std::uint64_t seeds = 1;
    bool twice = false;
    bool all_paths = false;
};

/// A setting that still fails, with fewer clients and fewer classes of faults.
setting shorten(runner& runs, const world& w, setting how) {
    const auto still_fails = [&](const setting& tried) { return !runs.run_one(w, tried).passed; };
    for (unsigned clients : {1U, 2U, 3U, 5U, 10U}) {
        setting tried = how;
        tried.most_clients = clients;
        if (!still_fails(tried)) continue;
        how = tried;
        break;
    }
    auto drawn = how.rates();
    for (std::size_t i = 0; i < fault_classes.size(); ++i) {
        setting tried = how;
        tried.faults &= ~(std::uint64_t{1} << i);
        // One that the seed has not drawn is not missed.
        if (fault_classes[i].in(drawn) == 0 || still_fails(tried)) how = tried;
    }
    return how;
}

void report(runner& runs, const world& w, const setting& how, const run_result& v) {
    fmt::print("{} failed with {}\n{}", w.name, how.options(), v.said);
    const setting shorter = shorten(runs, w, how);
    fmt::print(
        "\nto repeat it:        script/simulate {} {}\n"
        "shorter, also fails: script/simulate {} {} --trace\n",
        w.name, how.options(), w.name, shorter.options());
}

/// True if every seed passed.
bool run_seeds(runner& runs, const world& w, const request& wanted) {
    const auto from = std::chrono::steady_clock::now();
    std::uint64_t passed = 0;
    std::optional<setting> failed;
    run_result how_it_failed;
    runs.run_many(w, wanted.how, wanted.seeds, [&](const setting& how, const run_result& v) {
        if (v.passed) {
            ++passed;
            if (how.keep_trace) fmt::print("{}", v.said);
        } else if (!failed || how.seed < failed->seed) {
            failed = how;
            how_it_failed = v;
        }
        return !failed;
    });
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - from;
    if (failed) {
        report(runs, w, *failed, how_it_failed);
        return false;
    }
    fmt::print("{}: {} seeds from {} passed in {:.1f} s, {:.0f} a second\n", w.name, passed,
               wanted.how.seed, took.count(), static_cast<double>(passed) / took.count());
    return true;
}

/// True if each of the seeds has the same trace twice.
bool run_twice(runner& runs, const world& w, const request& wanted) {
    std::vector<std::uint64_t> hashes(wanted.seeds);
    bool equal = true;
    for (const bool second : {false, true}) {
        runs.run_many(w, wanted.how, wanted.seeds, [&](const setting& how, const run_result& v) {
            auto& hash = hashes[how.seed - wanted.how.seed];
            if (second && hash != v.hash) {
                fmt::print("{}: seed {} has another trace the second time\n", w.name, how.seed);
                equal = false;
            }
            hash = v.hash;
            return true;
        });
    }
    if (equal) fmt::print("{}: {} seeds have the same trace twice\n", w.name, wanted.seeds);
    return equal;
}

/// Looks for one planted bug; true if a seed found it.
bool find_bug(runner& runs, const world& w, const request& wanted) {
    std::optional<std::uint64_t> found;
    runs.run_many(w, wanted.how, wanted.seeds, [&](const setting& how, const run_result& v) {
        if (!v.passed) found = std::min(found.value_or(how.seed), how.seed);
        return !found;
    });
    const auto name = bug_names[static_cast<std::size_t>(wanted.how.planted)];
    if (found) {
        fmt::print("{}: found by seed {} of {}\n", name, *found - wanted.how.seed + 1,
                   wanted.seeds);
    } else {
        fmt::print("{}: NOT found in {} seeds\n", name, wanted.seeds);
    }
    return found.has_value();
}

/// Every planted bug is looked for in the world that its name begins with; one of io_uring on it,
/// and one of programs with them.
bool find_all_bugs(runner& runs, const request& wanted) {
    bool all = true;
    for (std::size_t i = 1; i < bug_names.size(); ++i) {
        const std::string_view name = bug_names[i];
        const auto* w = std::ranges::find(all_worlds, name.substr(0, name.find('/')), &world::name);
        if (w == all_worlds.end()) {
            fmt::print("{}: no world of that name\n", name);
            all = false;
            continue;
        }
        request one = wanted;
        one.how.planted = static_cast<bug>(i);
        if (name.contains("/uring_")) one.how.engine = io::engine_kind::uring;
        if (name.contains("/program_")) one.how.exec = true;
        all = find_bug(runs, *w, one) && all;
    }
    return all;
}

/// True if every mark was reached of the services whose own worlds were run.
bool show_paths(const runner& runs, const request& ran) {
    bool all = true;
    for (std::size_t i = 1; i < rare_path_names.size(); ++i) {
        const auto service = rare_path_names[i].substr(0, rare_path_names[i].find('/'));
        if (std::ranges::find(ran.of, service, &world::name) == ran.of.end()) continue;
        const auto times = runs.taken()[i].load();
        fmt::print("  {:<48} {}\n", rare_path_names[i],
                   times > 0 ? fmt::format("{} times", times) : "NEVER");
        all = all && times > 0;
    }
    return all;
}

/// A number, or "random": then it is drawn and printed.
std::uint64_t first_seed(const std::string& text) {
    if (text != "random") return std::stoull(text);
    const std::uint64_t drawn = std::random_device{}();
    fmt::print("the first seed is {}\n", drawn);
    return drawn;
}

/// As many seeds as the environment asks of every world.
void take_share(request& wanted) {
    constexpr std::uint64_t for_people = 1000;
    constexpr std::uint64_t enough_for_every_path = 10'000;
    const char* asked = std::getenv("SLUICE_SEEDS");
    const std::uint64_t all = asked == nullptr ? for_people : std::stoull(asked);
    wanted.seeds = std::max<std::uint64_t>(1, all / all_worlds.size());
    wanted.all_paths = all >= enough_for_every_path;
}

int main_of(int argc, char** argv) {
    CLI::App app{"Runs services, with clients and faults, on a simulated kernel with virtual time.",
                 "script/simulate"};
    request wanted;
    std::string of = "all";
    std::string seed = "1";
    bool share = false;
    std::string faults;
    std::string planted;
    std::string engine;
    std::string tls;
    std::string exec;
    unsigned jobs = static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
    std::string names = "all";
    for (const world& each : all_worlds) names += fmt::format(", {}", each.name);
    app.add_option("SERVICE", of, fmt::format("Which world: {}", names))->capture_default_str();
    app.add_option("--seed", seed, "The first seed, or random")->capture_default_str();
    app.add_option("--seeds", wanted.seeds, "How many seeds from there on")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_option("--clients", wanted.how.most_clients, "At most so many clients")
        ->check(CLI::PositiveNumber);
    app.add_option("--faults", faults, "Only these classes of faults, with commas; or none");
    app.add_option("--engine", engine,
                   "Only servers on this engine: blocking, epoll or uring; a chat has no blocking "
                   "one");
    app.add_option("--tls", tls, "on or off: doors and clients speak TLS, or none does")
        ->check(CLI::IsMember({"on", "off"}));
    app.add_option("--exec", exec,
                   "on or off: programs answer the questions of compute, or none does")
        ->check(CLI::IsMember({"on", "off"}));
    app.add_option("--plant", planted, "Plants a bug, which should be found; all: each in turn");
    app.add_option("--jobs", jobs, "Runs at a time")->capture_default_str();
    app.add_flag("--trace", wanted.how.keep_trace, "Print every call that was made");
    app.add_flag("--twice", wanted.twice, "See that each seed has the same trace twice");
    app.add_flag("--paths", wanted.all_paths, "Fail unless every marked path was taken");
    app.add_flag("--share", share,
                 "The world's share of SLUICE_SEEDS (1000) seeds, and from 10000 on --paths");
    constexpr int wrong_usage = 2;
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? 0 : wrong_usage;
    }
    wanted.how.seed = first_seed(seed);
    if (share) take_share(wanted);
    if (!faults.empty()) wanted.how.faults = faults_of(faults);
    if (!engine.empty()) wanted.how.engine = engine_of(engine);
    if (!tls.empty()) wanted.how.tls = tls == "on";
    if (!exec.empty()) wanted.how.exec = exec == "on";
    if (!planted.empty() && planted != "all") wanted.how.planted = bug_of(planted);
    for (const world& each : all_worlds) {
        if (of == "all" || of == each.name) wanted.of.push_back(&each);
    }
    if (wanted.of.empty()) {
        fmt::print(stderr, "there is no world '{}'; there are: {}\n", of, names);
        return wrong_usage;
    }
    // Else every child would.
    chat::load_name_tables();
    load_certificate();
    runner runs{jobs};
    if (planted == "all") return find_all_bugs(runs, wanted) ? 0 : 1;
    bool good = true;
    for (const world* each : wanted.of) {
        if (wanted.how.planted != bug::none) {
            good = find_bug(runs, *each, wanted) && good;
        } else {
            good = (wanted.twice ? run_twice : run_seeds)(runs, *each, wanted) && good;
        }
        std::fflush(stdout);
    }
    if (wanted.all_paths) good = show_paths(runs, wanted) && good;
    return good ? 0 : 1;
}

}  // namespace
}  // namespace sluice::worlds

int main(int argc, char** argv) {
    try {
        return sluice::worlds::main_of(argc, argv);
    } catch (const std::exception& wrong) {
        fmt::print(stderr, "script/simulate: {}\n", wrong.what());
        return 2;
    }
}
