// Fills in options from the environment and from a configuration file.
#include "sluice/cli/sources.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <optional>
#include <string_view>

#include "sluice/cli/commands.hpp"
#include "sluice/cli/config.hpp"
#include "sluice/cli/text_file.hpp"
#include "sluice/cli/words.hpp"

namespace sluice::cli {
namespace {

using attempt = std::expected<void, std::string>;

constexpr auto config_flag = "config";

/// The options that can be set from elsewhere than the command line, by their long names.
std::map<std::string, CLI::Option*, std::less<>> settable(CLI::App& command) {
    std::map<std::string, CLI::Option*, std::less<>> found;
    for (auto* option : command.get_options()) {
        const bool asks = option == command.get_help_ptr() || option == command.get_version_ptr();
        if (asks) continue;
        for (const auto& name : option->get_lnames()) found.emplace(name, option);
    }
    return found;
}

std::string variable_for(std::string_view flag) {
    std::string name{"SLUICE_"};
    for (const char c : flag) {
        name += c == '-' ? '_' : (c >= 'a' && c <= 'z') ? static_cast<char>(c - 'a' + 'A') : c;
    }
    return name;
}

/// What follows the option's own name in a complaint about its value.
std::string_view without_name(std::string_view complaint, const CLI::Option& option) {
    const auto name = option.get_name() + ": ";
    if (complaint.starts_with(name)) complaint.remove_prefix(name.size());
    return complaint;
}

std::optional<bool> read_switch(std::string_view text) {
    constexpr std::array<std::string_view, 4> on{"true", "yes", "on", "1"};
    constexpr std::array<std::string_view, 4> off{"false", "no", "off", "0"};
    if (std::ranges::count(on, text) != 0) return true;
    if (std::ranges::count(off, text) != 0) return false;
    return std::nullopt;
}

attempt give(CLI::Option& option, std::string value, const std::string& source) {
    const bool takes_no_value = option.get_expected_max() == 0;
    if (takes_no_value) {
        const auto on = read_switch(value);
        if (!on) {
            return std::unexpected{
                fmt::format("{}: {} is neither true nor false", source, in_quotes(value))};
        }
        value = *on ? "true" : "false";
    }
    try {
        option.add_result(std::move(value));
        option.run_callback();
    } catch (const CLI::ParseError& mistake) {
        return std::unexpected{fmt::format("{}: {}", source, without_name(mistake.what(), option))};
    }
    return {};
}

attempt fill_in_from_environment(CLI::App& command) {
    for (const auto& [flag, option] : settable(command)) {
        if (option->count() > 0) continue;
        const auto name = variable_for(flag);
        const char* value = std::getenv(name.c_str());
        if (value == nullptr || *value == '\0') continue;
        if (auto done = give(*option, value, name + " in the environment"); !done) return done;
    }
    return {};
}

/// The command that `section` names, or nullptr.
CLI::App* find_command(CLI::App& root, std::string_view section) {
    auto* command = &root;
    while (!section.empty()) {
        const auto end = std::min(section.find(' '), section.size());
        command = find_below(*command, section.substr(0, end));
        if (command == nullptr) return nullptr;
        section.remove_prefix(std::min(end + 1, section.size()));
    }
    return command;
}

void collect_flags(CLI::App& command, std::vector<std::string>& flags) {
    for (const auto& [flag, option] : settable(command)) {
        if (flag != config_flag) flags.push_back(flag);
    }
    for (auto* each : below(command)) collect_flags(*each, flags);
}

/// What is wrong with an entry's names; empty if some command knows them.
std::string unknown_name(CLI::App& root, const config_entry& entry) {
    auto* owner = find_command(root, entry.section);
    if (owner == nullptr) return fmt::format("there is no command {}", in_quotes(entry.section));
    std::vector<std::string> flags;
    collect_flags(*owner, flags);
    if (std::ranges::count(flags, entry.key) != 0) return {};
    const auto near = nearest(entry.key, flags);
    return near.empty() ? fmt::format("there is no setting {}", in_quotes(entry.key))
                        : fmt::format("there is no setting {}; did you mean {}?",
                                      in_quotes(entry.key), near);
}

bool leads_to(std::string_view section, std::string_view path) {
    return section.empty() || section == path ||
           (path.starts_with(section) && path[section.size()] == ' ');
}

using found_settings = std::map<std::string, config_entry, std::less<>>;

/// What the file at `path` says of `command`, by the names of its flags.
std::expected<found_settings, std::string> read_settings(CLI::App& root, const CLI::App& command,
                                                         const std::string& path) {
    const auto text = read_text(path);
    if (!text) {
        return std::unexpected{fmt::format("cannot read the configuration {}: {}", in_quotes(path),
                                           text.error().message())};
    }
    const auto entries = parse_config(*text);
    if (!entries) {
        const auto& mistake = entries.error();
        return std::unexpected{fmt::format("{}:{}: {}", path, mistake.line, mistake.what)};
    }
    const auto own_path = path_of(command);
    found_settings best;
    for (const auto& entry : *entries) {
        if (const auto what = unknown_name(root, entry); !what.empty()) {
            return std::unexpected{fmt::format("{}:{}: {}", path, entry.line, what)};
        }
        if (!leads_to(entry.section, own_path)) continue;
        const auto known = best.find(entry.key);
        if (known == best.end() || entry.section.size() >= known->second.section.size()) {
            best[entry.key] = entry;
        }
    }
    return best;
}

using values = std::map<std::string, std::string, std::less<>>;

/// The command that was filled in, and from where.
struct filled_in {
    CLI::App* root = nullptr;
    CLI::App* command = nullptr;
    std::string path;  // of the configuration, if there is one
    values fixed;      // by flags and the environment: no file changes them
    values from_file;  // as the file had them
};

filled_in& last() {
    static filled_in only;
    return only;
}

attempt fill_in_from_file(filled_in& into) {
    const auto found = read_settings(*into.root, *into.command, into.path);
    if (!found) return std::unexpected{found.error()};
    for (const auto& [flag, option] : settable(*into.command)) {
        const auto setting = found->find(flag);
        if (setting == found->end() || into.fixed.contains(flag)) continue;
        const auto& entry = setting->second;
        into.from_file[flag] = entry.value;
        if (option->count() > 0) continue;
        const auto source = fmt::format("{}:{}: {}", into.path, entry.line, entry.key);
        if (auto done = give(*option, entry.value, source); !done) return done;
    }
    return {};
}

}  // namespace

std::vector<std::string> flags_of(const CLI::App& command) {
    std::vector<std::string> flags;
    for (const auto* option : command.get_options()) {
        for (const auto& name : option->get_lnames()) flags.push_back("--" + name);
    }
    return flags;
}

std::expected<void, std::string> fill_in(CLI::App& root, CLI::App& command) {
    if (auto done = fill_in_from_environment(command); !done) return done;
    last() = {.root = &root, .command = &command, .path = {}, .fixed = {}, .from_file = {}};
    for (const auto& [flag, option] : settable(command)) {
        if (option->count() > 0) last().fixed[flag] = option->results().back();
    }
    const auto path = last().fixed.find(config_flag);
    if (path == last().fixed.end()) return {};
    last().path = path->second;
    return fill_in_from_file(last());
}

std::expected<std::optional<std::string>, std::string> value_now(std::string_view flag) {
    const auto& known = last();
    if (const auto fixed = known.fixed.find(flag); fixed != known.fixed.end()) {
        return fixed->second;
    }
    if (known.path.empty()) return std::nullopt;
    const auto found = read_settings(*known.root, *known.command, known.path);
    if (!found) return std::unexpected{found.error()};
    const auto setting = found->find(flag);
    if (setting == found->end()) return std::nullopt;
    return setting->second.value;
}

std::expected<std::vector<std::string>, std::string> changed_settings() {
    const auto& known = last();
    std::vector<std::string> changed;
    if (known.path.empty()) return changed;
    const auto found = read_settings(*known.root, *known.command, known.path);
    if (!found) return std::unexpected{found.error()};
    for (const auto& [flag, option] : settable(*known.command)) {
        if (known.fixed.contains(flag)) continue;
        const auto now = found->find(flag);
        const auto before = known.from_file.find(flag);
        const bool was_there = before != known.from_file.end();
        const bool is_there = now != found->end();
        if (was_there == is_there && (!is_there || before->second == now->second.value)) continue;
        changed.push_back(flag);
    }
    return changed;
}

}  // namespace sluice::cli
