// Implements the reading of the tree of commands.
#include "sluice/cli/manual/command_page.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "sluice/cli/commands.hpp"
#include "sluice/cli/option_sources.hpp"

namespace sluice::cli {
namespace {

constexpr std::string_view usual_group = "Options";

std::vector<std::string> split(std::string_view text, char between) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        const auto end = std::min(text.find(between), text.size());
        parts.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return parts;
}

/// A value is completed by what stands for it in the help: a placeholder, or an operand's name.
value_kind kind_of(std::string_view placeholder) {
    constexpr std::array<std::string_view, 7> files{"FILE", "[FILE]", "FILE... URL", "FROM",
                                                    "TO",   "BEFORE", "AFTER"};
    if (std::ranges::count(files, placeholder) > 0) return value_kind::file;
    return placeholder == "DIR" ? value_kind::directory : value_kind::text;
}

bool is_query(const CLI::App& command, const CLI::Option& option) {
    return &option == command.get_help_ptr() || &option == command.get_version_ptr();
}

option_entry read_option(const CLI::App& command, const CLI::Option& option) {
    option_entry entry;
    const bool operand = option.get_positional();
    if (operand) entry.names.push_back(option.get_name(true, false));
    for (const auto& name : option.get_snames()) entry.names.push_back("-" + name);
    for (const auto& name : option.get_lnames()) entry.names.push_back("--" + name);
    entry.text = option.get_description();
    entry.default_value = option.get_default_str();
    if (entry.default_value == "0s") entry.default_value.clear();  // stands for no limit
    entry.group = option.get_group() == usual_group ? std::string{} : option.get_group();
    entry.choices = split(option.get_option_text(), '|');
    entry.required = option.get_required();
    const bool all_values = option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll;
    const bool takes_value = operand || option.get_expected_max() > 0;
    if (takes_value) {
        entry.placeholder = operand ? entry.names.front() : option.get_type_name();
        entry.value = entry.choices.empty() ? kind_of(entry.placeholder) : value_kind::choice;
        entry.value_may_lack = option.get_expected_min() == 0;
        entry.repeats = all_values || option.get_expected_max() > 1;
    }
    // CLI11 takes no command line without what is required, whatever the environment says.
    const bool may_lack = !is_query(command, option) && !option.get_required();
    if (may_lack && !option.get_lnames().empty()) {
        entry.variable = variable_for(option.get_lnames().front());
    }
    return entry;
}

void read_below(const CLI::App& command, std::vector<command_page>& into) {
    into.push_back(read_page(command));
    for (const auto* each : below(command)) read_below(*each, into);
}

/// `ADDRESS`, `[ADDRESS]` if it may lack, `[COMMAND...]` if there may be several.
std::string operand_usage(const option_entry& operand) {
    const auto& name = operand.names.front();
    const auto shown = operand.repeats ? name + "..." : name;
    return operand.required ? shown : '[' + shown + ']';
}

}  // namespace

std::string option_entry::usage() const {
    std::string all;
    for (const auto& name : names) all += all.empty() ? name : ", " + name;
    const bool operand = !names.front().starts_with('-');
    return placeholder.empty() || operand ? all : all + ' ' + placeholder;
}

std::string_view option_entry::long_name() const noexcept {
    for (const std::string_view name : names) {
        if (name.starts_with("--")) return name.substr(2);
    }
    return {};
}

std::string command_page::command_line() const {
    return path.empty() ? "sluice" : "sluice " + path;
}

std::string command_page::synopsis() const {
    auto line = command_line();
    for (const auto& option : options) {
        if (option.required) line += ' ' + option.names.back() + ' ' + option.placeholder;
    }
    line += " [OPTIONS]";
    if (!commands.empty()) return line + " COMMAND";
    if (!text->operands.empty()) return line + ' ' + std::string{text->operands};
    for (const auto& operand : operands) line += ' ' + operand_usage(operand);
    return line;
}

const option_entry* command_page::find_option(std::string_view name) const noexcept {
    const auto found = std::ranges::find_if(
        options, [name](const auto& each) { return std::ranges::count(each.names, name) > 0; });
    return found == options.end() ? nullptr : &*found;
}

bool command_page::is_server() const noexcept {
    return find_option("--grace") != nullptr;
}

command_page read_page(const CLI::App& command) {
    command_page page;
    page.path = path_of(command);
    page.summary = command.get_description();
    page.notes = command.get_footer();
    std::ranges::replace(page.notes, '\n', ' ');
    page.text = &text_of(page.path);
    std::vector<option_entry> options;
    for (const auto* option : command.get_options()) {
        auto& into = option->get_positional() ? page.operands : options;
        into.push_back(read_option(command, *option));
    }
    for (const auto& group : command.get_groups()) {
        for (auto& option : options) {
            const auto& heading = option.group.empty() ? std::string{usual_group} : option.group;
            if (heading == group) page.options.push_back(option);
        }
    }
    for (const auto* each : below(command)) {
        page.commands.push_back({each->get_name(), each->get_description()});
    }
    return page;
}

std::vector<command_page> read_pages(const CLI::App& root) {
    std::vector<command_page> all;
    read_below(root, all);
    return all;
}

std::vector<std::string> groups_of(const command_page& page) {
    std::vector<std::string> groups;
    for (const auto& option : page.options) {
        if (std::ranges::count(groups, option.group) == 0) groups.push_back(option.group);
    }
    return groups;
}

}  // namespace sluice::cli
