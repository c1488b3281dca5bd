// The completion script for bash: a table of commands and values behind assets/completion.bash.
#include <fmt/format.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/assets.hpp"
#include "sluice/cli/manual/completions.hpp"

namespace sluice::cli {
namespace {

using word_list = std::vector<std::string>;

std::string with_blanks(const word_list& all) {
    return fmt::format("{}", fmt::join(all, " "));
}

/// How the script is told to complete a value; empty where it cannot.
std::string bash_kind(const option_entry& option) {
    switch (option.value) {
        case value_kind::choice: return with_blanks(option.choices);
        case value_kind::file: return "<file>";
        case value_kind::directory: return "<directory>";
        case value_kind::text:
        case value_kind::none: break;
    }
    return {};
}

void add_command(std::string& out, const command_page& page) {
    word_list commands;
    word_list flags;
    word_list valued;
    for (const auto& each : page.commands) commands.push_back(each.name);
    for (const auto& option : page.options) {
        for (const auto& name : option.names) {
            flags.push_back(name);
            if (option.takes_value() && !option.value_may_lack) valued.push_back(name);
        }
    }
    out += fmt::format("        {})\n", shell_quoted(page.path));
    const auto set = [&out](std::string_view name, const word_list& to) {
        if (!to.empty()) out += fmt::format("            {}='{}'\n", name, with_blanks(to));
    };
    set("commands", commands);
    set("flags", flags);
    set("valued", valued);
    if (!page.operands.empty()) {
        out += "            operands=(";
        for (const auto& operand : page.operands) out += shell_quoted(bash_kind(operand)) + ' ';
        out.back() = ')';
        out += '\n';
        if (page.operands.back().repeats) out += "            repeats=1\n";
    }
    out += "            ;;\n";
}

/// Of each flag the kinds of its value, and with each the commands that have it so.
using kinds_of_flags = std::map<std::string, std::map<std::string, word_list>>;

void add_values(std::string& out, const kinds_of_flags& all) {
    for (const auto& [flag, kinds] : all) {
        for (const auto& [kind, paths] : kinds) {
            if (kind.empty()) continue;
            std::string patterns;
            if (kinds.size() == 1) {
                patterns = fmt::format("*' {}'", flag);
            } else {
                for (const auto& path : paths) {
                    patterns += (patterns.empty() ? "" : " | ") + shell_quoted(path + ' ' + flag);
                }
            }
            out += fmt::format("        {}) kind='{}' ;;\n", patterns, kind);
        }
    }
}

}  // namespace

std::string bash_completion(std::span<const command_page> pages) {
    std::string table =
        "# What the command $1 has.\n"
        "_sluice_command() {\n"
        "    commands='' flags='' valued='' repeats=''\n"
        "    operands=()\n"
        "    case $1 in\n";
    kinds_of_flags kinds;
    for (const auto& page : pages) {
        add_command(table, page);
        for (const auto& option : page.options) {
            if (!option.takes_value()) continue;
            for (const auto& name : option.names)
                kinds[name][bash_kind(option)].push_back(page.path);
        }
    }
    table +=
        "    esac\n"
        "}\n"
        "\n"
        "# How the value of the flag $2 of the command $1 is completed.\n"
        "_sluice_value() {\n"
        "    case \"$1 $2\" in\n";
    add_values(table, kinds);
    table += "    esac\n}";
    return filled_in(assets::completion_bash, table);
}

}  // namespace sluice::cli
