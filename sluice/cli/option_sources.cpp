// Implements option values from the environment and from a configuration file.
#include "sluice/cli/option_sources.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "sluice/cli/commands.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/cli/text_file.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::cli {
namespace {

using attempt = std::expected<void, std::string>;

constexpr auto config_flag = "config";

std::ptrdiff_t dots_in(std::string_view name) {
    return std::ranges::count(name, '.');
}

/// The options that the environment or a file may set, in the order of the help.
std::vector<CLI::Option*> settable(CLI::App& command) {
    std::vector<CLI::Option*> found;
    for (auto* option : command.get_options()) {
        const bool is_query =
            option == command.get_help_ptr() || option == command.get_version_ptr();
        if (!is_query && !option->get_lnames().empty()) found.push_back(option);
    }
    return found;
}

const std::string& name_of(const CLI::Option& option) {
    return *std::ranges::max_element(option.get_lnames(), {}, dots_in);
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
        // A flag with a name for its value takes a text there, too.
        if (!on && option.get_type_name().empty()) {
            return std::unexpected{
                fmt::format("{}: {} is neither true nor false", source, in_quotes(value))};
        }
        if (on) value = *on ? "true" : "false";
    }
    try {
        option.add_result(std::move(value));
        option.run_callback();
    } catch (const CLI::ParseError& mistake) {
        return std::unexpected{fmt::format("{}: {}", source, without_name(mistake.what(), option))};
    }
    return {};
}

attempt fill_in_from_environment(CLI::Option& option, setting& into) {
    if (into.from != setting::origin::standard) return {};
    auto names = option.get_lnames();
    std::ranges::sort(names);
    for (const auto& flag : names) {
        const auto variable = variable_for(flag);
        const char* value = std::getenv(variable.c_str());
        if (value == nullptr || *value == '\0') continue;
        into.values = {value};
        into.from = setting::origin::environment;
        into.source = variable;
        return set_option(option, value, variable + " in the environment");
    }
    return {};
}

/// The beginnings of the names of a command's settings: none of its words, the first, ... all.
std::vector<std::string> beginnings_of(const CLI::App& command) {
    std::vector<std::string> all{""};
    std::string text = path_of(command);
    std::ranges::replace(text, ' ', '.');
    for (std::size_t at = 0; !text.empty() && at != std::string::npos;) {
        at = text.find('.', at + 1);
        all.push_back(text.substr(0, at) + '.');
    }
    return all;
}

/// The option of a name, and how exactly the name says so.
struct target {
    CLI::Option* option;
    std::size_t rank;
};

/// The names by which a file sets the options of a command.
using target_names = std::multimap<std::string, target, std::less<>>;

target_names targets_of(CLI::App& command) {
    target_names all;
    const auto beginnings = beginnings_of(command);
    for (auto* option : settable(command)) {
        for (const auto& flag : option->get_lnames()) {
            if (flag == config_flag) continue;
            for (std::size_t i = 0; i < beginnings.size(); ++i) {
                all.emplace(beginnings[i] + flag, target{option, i + 1});
            }
            const auto kind = flag.find('.');
            const auto further = kind == std::string::npos ? kind : flag.find('.', kind + 1);
            if (further == std::string::npos) continue;
            // chat.rate is for chat.team as well, which is a chat.
            all.emplace(flag.substr(0, kind) + flag.substr(further), target{option, 0});
        }
    }
    return all;
}

/// The names of all settings that are known at and below `command`.
void collect_names(CLI::App& command, std::set<std::string, std::less<>>& names) {
    for (const auto& [name, target] : targets_of(command)) names.insert(name);
    for (auto* each : below(command)) collect_names(*each, names);
}

/// Looks names of a file up in all commands.
class known_names {
 public:
    explicit known_names(CLI::App& root) { collect_names(root, names_); }

    /// Why an entry is of no use; empty if it is of use.
    [[nodiscard]] std::string why_not(const config_entry& entry) const {
        if (names_.contains(entry.name())) return {};
        if (auto why = why_not(entry.section); !why.empty()) return why;
        std::vector<std::string> keys;
        const auto beginning = beginning_of(entry.section);
        for (auto each = names_.lower_bound(beginning);
             each != names_.end() && each->starts_with(beginning); ++each) {
            keys.push_back(each->substr(beginning.size()));
        }
        const auto near = nearest(entry.key, keys);
        return near.empty() ? fmt::format("there is no setting {}", in_quotes(entry.key))
                            : fmt::format("there is no setting {}; did you mean {}?",
                                          in_quotes(entry.key), near);
    }

    /// Why there is no such section; empty if there is.
    [[nodiscard]] std::string why_not(const std::string& section) const {
        const auto beginning = beginning_of(section);
        const auto first = names_.lower_bound(beginning);
        if (first != names_.end() && first->starts_with(beginning)) return {};
        std::set<std::string> sections;
        for (const std::string_view each : names_) {
            for (auto at = each.find('.'); at != std::string::npos; at = each.find('.', at + 1)) {
                sections.emplace(each.substr(0, at));
            }
        }
        const std::vector<std::string> all{sections.begin(), sections.end()};
        const auto near = nearest(beginning.substr(0, beginning.size() - 1), all);
        return near.empty() ? fmt::format("there is no command {}", in_quotes(section))
                            : fmt::format("there is no command {}; did you mean [{}]?",
                                          in_quotes(section), near);
    }

 private:
    static std::string beginning_of(std::string section) {
        std::ranges::replace(section, ' ', '.');
        return section.empty() ? section : section + '.';
    }

    std::set<std::string, std::less<>> names_;
};

/// What a file says of an option: entries whose names are equally exact.
struct found_values {
    std::vector<const config_entry*> entries = {};
    std::size_t rank = 0;
};

std::map<const CLI::Option*, found_values> best_of(const std::vector<config_entry>& entries,
                                                   const target_names& targets) {
    std::map<const CLI::Option*, found_values> best;
    for (const auto& entry : entries) {
        const auto [first, last] = targets.equal_range(entry.name());
        for (auto each = first; each != last; ++each) {
            const auto& [option, rank] = each->second;
            auto& known = best[option];
            if (!known.entries.empty() && rank < known.rank) continue;
            const bool adds = rank == known.rank &&
                              option->get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll;
            if (!adds) known.entries.clear();
            known.entries.push_back(&entry);
            known.rank = rank;
        }
    }
    return best;
}

std::string where(const std::string& file, const config_entry& entry) {
    return fmt::format("{}:{}", file, entry.line);
}

/// Adds the options that the settings call for.
void add_options_of(commands& all, const std::vector<config_entry>& entries) {
    for (const auto& each : entries) all.add_options_for_setting(each.name());
}

std::expected<std::vector<config_entry>, std::string> read_entries(commands& all,
                                                                   const std::string& file) {
    const auto text = read_text(file);
    if (!text) {
        return std::unexpected{fmt::format("cannot read the configuration {}: {}", in_quotes(file),
                                           text.error().message())};
    }
    auto entries = parse_config(*text);
    if (!entries) {
        const auto& mistake = entries.error();
        return std::unexpected{fmt::format("{}:{}: {}", file, mistake.line, mistake.what)};
    }
    add_options_of(all, *entries);
    const known_names known{all.root()};
    for (const auto& entry : *entries) {
        if (const auto what = known.why_not(entry); !what.empty()) {
            return std::unexpected{fmt::format("{}: {}", where(file, entry), what)};
        }
    }
    return std::move(*entries);
}

attempt fill_in_from_file(const std::string& file, const found_values& found, CLI::Option& option,
                          setting& into) {
    if (into.from != setting::origin::standard) return {};
    for (const auto* entry : found.entries) {
        into.values.push_back(entry->value);
        into.from = setting::origin::file;
        into.source = where(file, *entry);
        const auto source = fmt::format("{}: {}", into.source, entry->key);
        if (auto done = set_option(option, entry->value, source); !done) return done;
    }
    return {};
}

/// An option, and what flags and the environment say of it.
std::expected<setting, std::string> first_of(CLI::Option& option) {
    setting made{.name = name_of(option), .option = &option};
    if (option.count() > 0) {
        made.values = option.results();
        made.from = setting::origin::flag;
        made.source = "--" + made.name;
    }
    if (auto done = fill_in_from_environment(option, made); !done) {
        return std::unexpected{std::move(done.error())};
    }
    return made;
}

/// The value of --config, which is set to the usual file where there is no other.
std::expected<std::string, std::string> choose_file(CLI::App& command, setting& config,
                                                    const std::optional<std::string>& usual) {
    auto* option = command.get_option(std::string{"--"} + config_flag);
    if (config.from == setting::origin::standard) {
        if (!usual) return {};
        if (auto done = set_option(*option, *usual, *usual); !done) {
            return std::unexpected{std::move(done.error())};
        }
        config.values = {*usual};
    }
    const auto& file = config.values.back();
    return file == no_configuration ? std::string{} : file;
}

bool exists(const std::string& file) {
    struct stat found{};
    return os::sys().fstatat(AT_FDCWD, file.c_str(), found, 0) == 0;
}

/// Whether `command` reads a configuration.
bool reads_configuration(const CLI::App& command) {
    return command.get_option_no_throw(std::string{"--"} + config_flag) != nullptr;
}

/// Parses all values that the entries have for `command` and the commands below it.
void check_values(CLI::App& command, const std::vector<config_entry>& entries,
                  std::set<std::tuple<std::size_t, std::string>>& mistakes) {
    for (auto* each : below(command)) check_values(*each, entries, mistakes);
    if (!reads_configuration(command)) return;
    const auto targets = targets_of(command);
    for (const auto& entry : entries) {
        const auto [first, last] = targets.equal_range(entry.name());
        for (auto each = first; each != last; ++each) {
            if (auto done = set_option(*each->second.option, entry.value, entry.key); !done) {
                mistakes.emplace(entry.line, std::move(done.error()));
            }
            each->second.option->clear();
        }
    }
}

}  // namespace

std::string variable_for(std::string_view flag) {
    std::string name{"SLUICE_"};
    for (const char c : flag) {
        const bool is_gap = c == '-' || c == '.';
        name += is_gap ? '_' : (c >= 'a' && c <= 'z') ? static_cast<char>(c - 'a' + 'A') : c;
    }
    return name;
}

std::vector<std::string> flags_of(const CLI::App& command) {
    std::vector<std::string> flags;
    for (const auto* option : command.get_options()) {
        for (const auto& name : option->get_lnames()) flags.push_back("--" + name);
    }
    return flags;
}

std::optional<std::string> usual_configuration() {
    std::vector<std::string> folders;
    const auto absolute = [](const char* name) -> std::optional<std::string> {
        const char* value = std::getenv(name);
        if (value == nullptr || *value != '/') return std::nullopt;
        return value;
    };
    if (const auto configured = absolute("XDG_CONFIG_HOME")) {
        folders.push_back(*configured);
    } else if (const auto home = absolute("HOME")) {
        folders.push_back(*home + "/.config");
    }
    folders.emplace_back("/etc");
    for (const auto& each : folders) {
        auto file = each + "/sluice/sluice.conf";
        if (exists(file)) return file;
    }
    return std::nullopt;
}

std::expected<settings, std::string> fill_in(commands& all, CLI::App& command,
                                             const std::optional<std::string>& usual) {
    settings filled;
    for (auto* option : settable(command)) {
        auto first = first_of(*option);
        if (!first) return std::unexpected{std::move(first.error())};
        filled.all.push_back(std::move(*first));
    }
    const auto config = std::ranges::find(filled.all, config_flag, &setting::name);
    if (config == filled.all.end()) return filled;
    auto file = choose_file(command, *config, usual);
    if (!file) return std::unexpected{std::move(file.error())};
    if (file->empty()) return filled;
    filled.file = std::move(*file);
    const auto entries = read_entries(all, filled.file);
    if (!entries) return std::unexpected{entries.error()};
    auto best = best_of(*entries, targets_of(command));
    std::size_t at = 0;
    for (auto* option : settable(command)) {
        if (at == filled.all.size()) {
            auto first = first_of(*option);  // of those that the file called for
            if (!first) return std::unexpected{std::move(first.error())};
            filled.all.push_back(std::move(*first));
        }
        if (auto done = fill_in_from_file(filled.file, best[option], *option, filled.all[at]);
            !done) {
            return std::unexpected{std::move(done.error())};
        }
        ++at;
    }
    return filled;
}

std::vector<config_mistake> mistakes_of(commands& all, std::string_view text) {
    auto read = read_config(text);
    std::set<std::tuple<std::size_t, std::string>> found;
    for (auto& each : read.mistakes) found.emplace(each.line, std::move(each.what));
    add_options_of(all, read.entries);
    const known_names known{all.root()};
    std::set<std::string> unknown;
    for (const auto& each : read.sections) {
        if (auto why = known.why_not(each.section); !why.empty()) {
            unknown.insert(each.section);
            found.emplace(each.line, std::move(why));
        }
    }
    for (const auto& each : read.entries) {
        if (unknown.contains(each.section)) continue;
        if (auto why = known.why_not(each); !why.empty()) found.emplace(each.line, std::move(why));
    }
    check_values(all.root(), read.entries, found);
    std::vector<config_mistake> mistakes;
    mistakes.reserve(found.size());
    for (const auto& [line, what] : found) mistakes.push_back({line, what});
    return mistakes;
}

std::vector<std::string> changed_settings(const settings& before, const settings& now) {
    std::map<std::string, std::vector<std::string>, std::less<>> values;
    for (const auto& each : before.all) values[each.name] = each.values;
    std::vector<std::string> changed;
    for (const auto& each : now.all) {
        const auto known = values.find(each.name);
        if (known == values.end() ? !each.values.empty() : known->second != each.values) {
            changed.push_back(each.name);
        }
        if (known != values.end()) values.erase(known);
    }
    for (const auto& [name, value] : values) {
        if (!value.empty()) changed.push_back(name);
    }
    std::ranges::sort(changed);
    return changed;
}

}  // namespace sluice::cli
