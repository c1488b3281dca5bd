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

#include "sluice/cli/access_log.hpp"
#include "sluice/cli/commands.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/service_manager.hpp"

namespace sluice::cli {
namespace {

/// The options that set_limits() takes over.
constexpr std::array<std::string_view, 3> limits{"max-clients", "max-per-address",
                                                 "rate-per-address"};

void refuse(std::string_view why, std::string_view rest) {
    log(log_level::error, fmt::format("SIGHUP: {}; {}", why, rest));
}

/// The value of that name in `from` becomes the one in `to`.
void copy_values(std::string_view name, const settings& from, settings& to) {
    const auto now = std::ranges::find(from.all, name, &setting::name);
    const auto before = std::ranges::find(to.all, name, &setting::name);
    if (now != from.all.end() && before != to.all.end()) before->values = now->values;
}

}  // namespace

reload::reload(const commands& all, server_command& running, reload_targets targets)
    : all_{all}, running_{running}, targets_{std::move(targets)}, in_force_{all.options()} {}

void reload::operator()() noexcept {
    manager().reloading();
    try {
        // It was moved away for this, whatever else has changed.
        if (const auto opened = reopen_access_log(running_.common.access); !opened) {
            log(log_level::error, fmt::format("SIGHUP: {}", opened.error()));
        }
        read_again();
    } catch (const std::bad_alloc&) {
        log(log_level::error, "SIGHUP: there is no memory to read the configuration again");
    }
    manager().reloaded();
}

std::vector<std::string> reload::take_over(const server_command& fresh) {
    std::vector<std::string> names{"log-level"};
    set_log_level(fresh.common.level);
    if (targets_.set_limits) {
        targets_.set_limits(fresh.common);
        names.insert(names.end(), limits.begin(), limits.end());
    }
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
    const auto& now = (*again)->options();
    const auto changed = changed_settings(in_force_, now);
    const auto live = take_over(fresh);
    std::vector<std::string> taken;
    std::vector<std::string> later;
    for (const auto& name : changed) {
        const bool is_live = std::ranges::count(live, name) != 0;
        (is_live ? taken : later).push_back(name);
        if (is_live) copy_values(name, now, in_force_);
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
