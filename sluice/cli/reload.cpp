// Implements reload: parses the command line once more, checks all of it, then takes over.
#include "sluice/cli/reload.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <new>
#include <optional>
#include <utility>

#include "sluice/cli/commands.hpp"
#include "sluice/cli/log.hpp"

namespace sluice::cli {
namespace {

/// The common options of a server that are taken over while it runs.
constexpr std::array<std::string_view, 4> live_common{"log-level", "max-clients", "max-per-address",
                                                      "rate-per-address"};

}  // namespace

reload::reload(const commands& all, server_command& running, reload_targets targets)
    : all_{all}, running_{running}, targets_{std::move(targets)}, in_force_{all.options()} {}

void reload::operator()() noexcept {
    try {
        read_again();
    } catch (const std::bad_alloc&) {
        log(log_level::error, "SIGHUP: there is no memory to read the configuration again");
    }
}

void reload::refuse(std::string_view why, std::string_view rest) {
    log(log_level::error, fmt::format("SIGHUP: {}; {}", why, rest));
}

std::vector<std::string> reload::take_over(const server_command& fresh) {
    std::vector<std::string> names{live_common.begin(), live_common.end()};
    set_log_level(fresh.common.level);
    if (targets_.set_limits) targets_.set_limits(fresh.common);
    std::ranges::move(running_.take_over(fresh), std::back_inserter(names));
    return names;
}

void reload::read_again() {
    constexpr std::string_view unchanged = "all stays as it was";
    constexpr std::string_view former = "what was read before stays in force";
    const auto again = all_.read_again();
    if (!again) return refuse(again.error(), unchanged);
    const server_command& fresh = *(*again)->server();
    if (const auto why = fresh.why_not()) return refuse(*why, unchanged);
    std::optional<auth::accounts> accounts;
    if (targets_.who != nullptr) {
        auto loaded = load_accounts(running_.common.auth);
        if (!loaded) return refuse(loaded.error(), former);
        accounts = std::move(*loaded);
    }
    if (targets_.over != nullptr) {
        if (const auto taken = targets_.over->reload(); !taken) {
            return refuse(taken.error(), former);
        }
    }
    if (accounts) targets_.who->replace(std::move(*accounts));
    auto changed = changed_settings(in_force_, (*again)->options());
    const auto live = take_over(fresh);
    const auto is_live = [&live](const auto& name) { return std::ranges::count(live, name) != 0; };
    const auto later = std::ranges::stable_partition(changed, is_live);
    const std::vector<std::string> taken{changed.begin(), later.begin()};
    for (const auto& name : taken) {
        const auto of_name = [&name](const setting& each) { return each.name == name; };
        const auto now = std::ranges::find_if((*again)->options().all, of_name);
        const auto before = std::ranges::find_if(in_force_.all, of_name);
        if (now != (*again)->options().all.end() && before != in_force_.all.end()) {
            before->values = now->values;
        }
    }
    log(log_level::info, taken.empty()
                             ? std::string{"SIGHUP: the configuration was read again"}
                             : fmt::format("SIGHUP: the configuration was read again, and what it "
                                           "says of {} is in force",
                                           fmt::join(taken, ", ")));
    if (later.empty()) return;
    log(log_level::warn, fmt::format("SIGHUP: what the configuration says of {} counts from the "
                                     "next start of the server",
                                     fmt::join(later, ", ")));
}

}  // namespace sluice::cli
