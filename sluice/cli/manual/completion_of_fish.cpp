// The completion script for fish: a line for each command and option behind assets/completion.fish.
#include <fmt/format.h>

#include <string>
#include <string_view>

#include "sluice/base/assets.hpp"
#include "sluice/cli/manual/completions.hpp"

namespace sluice::cli {
namespace {

/// What follows an option, or an operand if it is none.
std::string fish_value(const option_entry& option, bool operand) {
    const std::string_view alone = operand ? "" : " -x";
    switch (option.value) {
        case value_kind::choice:
            return fmt::format("{} -a '{}'", alone, fmt::join(option.choices, " "));
        case value_kind::file: return operand ? " -F" : " -r -F";
        case value_kind::directory:
            return fmt::format("{} -a '(__fish_complete_directories)'", alone);
        case value_kind::text: return std::string{alone};
        case value_kind::none: break;
    }
    return {};
}

void add_lines(std::string& out, const command_page& page) {
    const auto begin = fmt::format("complete -c sluice -n \"__sluice_at '{}'\"", page.path);
    for (const auto& each : page.commands) {
        out += fmt::format("{} -a {} -d {}\n", begin, each.name, shell_quoted(each.summary));
    }
    for (const auto& operand : page.operands) {
        const auto value = fish_value(operand, true);
        if (!value.empty()) out += begin + value + '\n';
    }
    for (const auto& option : page.options) {
        out += begin;
        for (const std::string_view name : option.names) {
            const bool is_long = name.starts_with("--");
            out += fmt::format(" -{} {}", is_long ? 'l' : 's', name.substr(is_long ? 2 : 1));
        }
        if (!option.value_may_lack) out += fish_value(option, false);
        out += fmt::format(" -d {}\n", shell_quoted(in_short(option)));
    }
}

}  // namespace

std::string fish_completion(std::span<const command_page> pages) {
    std::string lines = "set -g __sluice_paths";
    for (const auto& page : pages) {
        if (!page.path.empty()) lines += " \\\n    " + shell_quoted(page.path);
    }
    lines += '\n';
    for (const auto& page : pages) add_lines(lines, page);
    lines.pop_back();
    return filled_in(assets::completion_fish, lines);
}

}  // namespace sluice::cli
