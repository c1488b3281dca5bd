// Implements `sluice config show`: every setting of a command, its value, and where that comes
// from.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "sluice/cli/config.hpp"
#include "sluice/cli/option_sources.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/subcommands.hpp"
#include "sluice/cli/text.hpp"

namespace sluice::cli {
namespace {

/// Files that hold secrets may be named; a secret itself is not shown.
bool is_secret(std::string_view name) {
    const auto last = name.substr(name.find_last_of("-.") + 1);
    return last == "password" || last == "token" || last == "secret";
}

bool is_switch(const CLI::Option& option) {
    return option.get_expected_max() == 0 && option.get_type_name().empty();
}

/// What the description of an option says of its default: what stands in parentheses at its end.
std::string_view default_in_words(std::string_view description) {
    const auto open = description.rfind('(');
    if (!description.ends_with(')') || open == std::string_view::npos) return "none";
    return description.substr(open + 1, description.size() - open - 2);
}

/// A setting as it is shown: its values, and where they come from.
struct shown {
    std::string name;
    std::vector<std::string> values;  ///< none: there is no text for it
    std::string source;
    bool is_setting = true;  ///< false for one that no file may have
};

shown shown_of(const setting& s) {
    auto& option = *s.option;
    const bool takes_many = option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll;
    shown line{.name = s.name, .values = s.values, .source = s.source};
    line.is_setting = s.name != "config" && !is_secret(s.name);
    if (is_secret(s.name)) line.values.assign(s.values.empty() ? 0 : 1, "(not shown)");
    if (!takes_many && line.values.size() > 1) line.values = {line.values.back()};
    if (s.from != setting::origin::standard) return line;
    line.source = "default";
    if (!line.values.empty()) return line;
    // It was not given, so its variable still holds the default.
    auto text = option.capture_default_str()->get_default_str();
    if (text.empty() && is_switch(option)) text = "false";
    if (!text.empty()) line.values = {std::move(text)};
    if (line.values.empty()) {
        line.source = fmt::format("default: {}", default_in_words(option.get_description()));
    }
    return line;
}

void print_text(const std::string& section, const std::vector<shown>& all) {
    constexpr std::size_t widest = 48;
    std::vector<std::pair<std::string, std::string_view>> lines;
    for (const auto& each : all) {
        if (each.values.empty()) lines.emplace_back(fmt::format("# {} =", each.name), each.source);
        for (const auto& value : each.values) {
            const auto written = config_value(value);
            const bool stands = each.is_setting && written;
            lines.emplace_back(fmt::format("{}{} = {}", stands ? "" : "# ", each.name,
                                           written ? *written : in_quotes(value)),
                               each.source);
        }
    }
    std::size_t width = 0;
    for (const auto& [line, source] : lines) {
        if (line.size() <= widest) width = std::max(width, line.size());
    }
    print(fmt::format("[{}]\n", section));
    for (const auto& [line, source] : lines) {
        print(fmt::format("{:<{}}  # {}\n", line, width, source));
    }
}

void print_json(const std::vector<shown>& all) {
    auto list = nlohmann::ordered_json::array();
    for (const auto& each : all) {
        nlohmann::ordered_json value;
        if (each.values.size() == 1) value = each.values.front();
        if (each.values.size() > 1) value = each.values;
        list.push_back({{"name", each.name}, {"value", value}, {"source", each.source}});
    }
    print(json_text(list, 2));
}

/// Takes a --json from the end of the words where the command that they name has none.
bool take_json(CLI::App& root, std::vector<std::string>& words) {
    if (words.empty() || words.back() != "--json") return false;
    auto* command = &root;
    for (const auto& word : words) {
        auto* next = find_below(*command, word);
        if (next == nullptr) break;
        command = next;
    }
    if (command->get_option_no_throw("--json") != nullptr) return false;
    words.pop_back();
    return true;
}

exit_status show_configuration(const commands& all, std::vector<std::string> words, bool as_json) {
    const auto tree = all.another();
    tree->require_nothing();
    if (take_json(tree->root(), words)) as_json = true;
    if (words.empty() || words.front().starts_with('-')) words.insert(words.begin(), "serve");
    if (auto parsed = tree->parse(std::move(words)); !parsed) {
        const auto& said = parsed.error();
        if (said.command != nullptr) return report_usage_error(*said.command, said.text);
        print(said.text);
        return said.status;
    }
    std::vector<shown> lines;
    for (const auto& each : tree->options().all) lines.push_back(shown_of(each));
    if (as_json) {
        print_json(lines);
        return exit_status::done;
    }
    auto section = path_of(tree->command());
    std::ranges::replace(section, ' ', '.');
    print_text(section, lines);
    return exit_status::done;
}

}  // namespace

void add_config_show(commands& all, CLI::App& config) {
    auto* command = config.add_subcommand(
        "show", "Print every setting of COMMAND that is in force, and where it comes from");
    auto as_json = std::make_shared<bool>(false);
    command->add_flag("--json", *as_json, "Print them as JSON");
    command->prefix_command();
    command->footer(
        "COMMAND is the words of a command, with its flags if you like (serve): what is printed\n"
        "can be used as a configuration.");
    all.on(*command, [&all, command, as_json] {
        return show_configuration(all, command->remaining(), *as_json);
    });
}

}  // namespace sluice::cli
