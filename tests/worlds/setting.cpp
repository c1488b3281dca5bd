// Implements setting: its rates, and the options that repeat it.
#include "tests/worlds/setting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <iterator>
#include <stdexcept>

#include "sluice/sim/random.hpp"

namespace sluice::worlds {

drawn_rates setting::rates() const {
    // Generators of their own, so that a class that is taken away moves no other choice.
    sim::random draws{seed ^ 0x6661'756c'7473U};
    sim::random draws_of_disk{seed ^ 0x6469'736bU};
    sim::random draws_of_programs{seed ^ 0x7072'6f67U};
    drawn_rates drawn{.kernel = sim::fault_rates::draw(draws),
                      .disk = sim::disk_faults::draw(draws_of_disk),
                      .programs = program_faults::draw(draws_of_programs)};
    for (std::size_t i = 0; i < fault_classes.size(); ++i) {
        if ((faults >> i & 1U) == 0) fault_classes[i].in(drawn) = 0;
    }
    return drawn;
}

std::string setting::options() const {
    std::string text = fmt::format("--seed {}", seed);
    if (most_clients != setting{}.most_clients) text += fmt::format(" --clients {}", most_clients);
    if (faults != setting{}.faults) {
        std::string names;
        for (std::size_t i = 0; i < fault_classes.size(); ++i) {
            if ((faults >> i & 1U) == 0) continue;
            if (!names.empty()) names += ',';
            names += fault_classes[i].name;
        }
        text += fmt::format(" --faults {}", names.empty() ? "none" : names);
    }
    if (engine) text += fmt::format(" --engine {}", io::to_text(*engine));
    if (tls) text += fmt::format(" --tls {}", *tls ? "on" : "off");
    if (exec) text += fmt::format(" --exec {}", *exec ? "on" : "off");
    if (planted != bug::none) {
        text += fmt::format(" --plant {}", bug_names[static_cast<std::size_t>(planted)]);
    }
    return text;
}

std::uint64_t faults_of(std::string_view names) {
    std::uint64_t bits = 0;
    if (names == "none") return bits;
    while (!names.empty()) {
        const auto end = std::min(names.find(','), names.size());
        const auto name = names.substr(0, end);
        const auto* found = std::ranges::find(fault_classes, name, &fault_class::name);
        if (found == fault_classes.end()) {
            throw std::invalid_argument{fmt::format("there is no fault '{}'", name)};
        }
        bits |= std::uint64_t{1} << std::distance(fault_classes.begin(), found);
        names.remove_prefix(std::min(end + 1, names.size()));
    }
    return bits;
}

io::engine_kind engine_of(std::string_view name) {
    constexpr std::array all{io::engine_kind::blocking, io::engine_kind::epoll,
                             io::engine_kind::uring};
    const auto* found = std::ranges::find(all, name, &io::to_text);
    if (found == all.end()) {
        throw std::invalid_argument{fmt::format("there is no engine '{}'", name)};
    }
    return *found;
}

bug bug_of(std::string_view name) {
    const auto* found = std::ranges::find(bug_names, name);
    if (found == bug_names.end()) {
        throw std::invalid_argument{fmt::format("there is no planted bug '{}'", name)};
    }
    return static_cast<bug>(std::distance(bug_names.begin(), found));
}

}  // namespace sluice::worlds
