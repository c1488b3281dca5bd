// Implements option values from the environment and from a configuration file.
#include "sluice/cli/option_sources.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <optional>
#include <string_view>

#include "sluice/cli/commands.hpp"
#include "sluice/cli/config.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/cli/text_file.hpp"

namespace sluice::cli {
namespace {

using attempt = std::expected<void, std::string>;

constexpr auto config_flag = "config";

/// The options that the environment or a file may set, by their long names.
std::map<std::string, CLI::Option*, std::less<>> settable(CLI::App& command) {
    std::map<std::string, CLI::Option*, std::less<>> found;
    for (auto* option : command.get_options()) {
        const bool is_query =
            option == command.get_help_ptr() || option == command.get_version_ptr();
        if (is_query) continue;
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

/// The error message without the option's own name in front.
std::string_view without_name(std::string_view message, const CLI::Option& option) {
    const auto name = option.get_name() + ": ";
    if (message.starts_with(name)) message.remove_prefix(name.size());
    return message;
}

std::optional<bool> read_switch(std::string_view text) {
    constexpr std::array<std::string_view, 4> on{"true", "yes", "on", "1"};
    constexpr std::array<std::string_view, 4> off{"false", "no", "off", "0"};
    if (std::ranges::count(on, text) != 0) return true;
    if (std::ranges::count(off, text) != 0) return false;
    return std::nullopt;
}

attempt set_option(CLI::Option& option, std::string value, const std::string& source) {
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
        if (auto done = set_option(*option, value, name + " in the environment"); !done)
            return done;
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

/// Why no command knows an entry's section or key; empty if a command does.
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

bool applies_to(std::string_view section, std::string_view path) {
    return section.empty() || section == path ||
           (path.starts_with(section) && path[section.size()] == ' ');
}

using found_settings = std::map<std::string, config_entry, std::less<>>;

/// The settings that the file at `path` has for `command`, by the names of its flags.
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
        if (!applies_to(entry.section, own_path)) continue;
        const auto known = best.find(entry.key);
        if (known == best.end() || entry.section.size() >= known->second.section.size()) {
            best[entry.key] = entry;
        }
    }
    return best;
}

using values = std::map<std::string, std::string, std::less<>>;

/// The command that fill_in() has filled in, and the sources of its values.
struct filled_in {
    CLI::App* root = nullptr;
    CLI::App* command = nullptr;
    std::string path;  // of the configuration file; empty if there is none
    values fixed;      // set by flags and the environment: a file does not change them
    values from_file;  // set by the file, as it was then
};

filled_in& last_filled() {
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
        if (auto done = set_option(*option, entry.value, source); !done) return done;
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
    last_filled() = {.root = &root, .command = &command, .path = {}, .fixed = {}, .from_file = {}};
    for (const auto& [flag, option] : settable(command)) {
        if (option->count() > 0) last_filled().fixed[flag] = option->results().back();
    }
    const auto path = last_filled().fixed.find(config_flag);
    if (path == last_filled().fixed.end()) return {};
    last_filled().path = path->second;
    return fill_in_from_file(last_filled());
}

std::expected<std::optional<std::string>, std::string> value_now(std::string_view flag) {
    const auto& known = last_filled();
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
    const auto& known = last_filled();
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
