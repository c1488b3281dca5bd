// The completion script for zsh: a function for each command behind assets/completion.zsh.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "sluice/base/assets.hpp"
#include "sluice/cli/manual/completions.hpp"

namespace sluice::cli {
namespace {

/// In a specification of _arguments or _describe, where these characters end a part.
std::string in_spec(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == ':' || c == '[' || c == ']' || c == '\\') out += '\\';
        out += c;
    }
    return out;
}

/// `:MESSAGE:ACTION` of a value; an action of a blank completes nothing.
std::string zsh_value(const option_entry& option) {
    std::string action = " ";
    if (option.value == value_kind::choice) {
        action = fmt::format("({})", fmt::join(option.choices, " "));
    } else if (option.value == value_kind::file) {
        action = "_files";
    } else if (option.value == value_kind::directory) {
        action = "_files -/";
    }
    return fmt::format("{}:{}:{}", option.value_may_lack ? ":" : "", in_spec(option.placeholder),
                       action);
}

std::string function_of(std::string_view path) {
    auto name = "_sluice" + std::string{path.empty() ? "" : " "} + std::string{path};
    std::ranges::replace(name, ' ', '_');
    return name;
}

void add_spec(std::string& out, const std::string& spec) {
    out += " \\\n        " + shell_quoted(spec);
}

void add_options(std::string& out, const command_page& page) {
    for (const auto& option : page.options) {
        std::string others;
        if (option.repeats) {
            others = "*";
        } else if (option.names.size() > 1) {
            others = fmt::format("({})", fmt::join(option.names, " "));
        }
        for (const auto& name : option.names) {
            auto spec = others + name;
            if (option.takes_value()) spec += name.starts_with("--") ? '=' : '+';
            spec += '[' + in_spec(in_short(option)) + ']';
            if (option.takes_value()) spec += zsh_value(option);
            add_spec(out, spec);
        }
    }
}

void add_function(std::string& out, const command_page& page) {
    const auto name = function_of(page.path);
    out += name + "() {\n";
    if (page.commands.empty()) {
        out += "    _arguments -s -S :";
        add_options(out, page);
        std::size_t place = 1;
        for (const auto& operand : page.operands) {
            const auto where = operand.repeats ? "*" : std::to_string(place);
            add_spec(out, where + zsh_value(operand));
            ++place;
        }
    } else {
        out += "    local -a below=(";
        for (const auto& each : page.commands) {
            out += "\n        " + shell_quoted(each.name + ':' + in_spec(each.summary));
        }
        out += "\n    )\n    _sluice_branch " + name;
        add_options(out, page);
    }
    out += "\n}\n\n";
}

}  // namespace

std::string zsh_completion(std::span<const command_page> pages) {
    std::string functions;
    for (const auto& page : pages) add_function(functions, page);
    functions.resize(functions.size() - 2);
    return filled_in(assets::completion_zsh, functions);
}

}  // namespace sluice::cli
