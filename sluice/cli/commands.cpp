// Parses the command line with CLI11, explains usage errors, and runs the chosen command.
#include "sluice/cli/commands.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "sluice/cli/build_info.hpp"
#include "sluice/cli/option_sources.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/text.hpp"

namespace sluice::cli {
namespace {

/// The innermost command that the user named.
CLI::App& chosen(CLI::App& root) {
    auto* command = &root;
    while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
    return *command;
}

/// The first word that no command took, if there is one.
std::optional<std::string> leftover(const CLI::App& root) {
    const auto words = root.remaining(true);
    const auto word = std::ranges::find_if(words, [](const auto& each) { return each != "--"; });
    return word == words.end() ? std::nullopt : std::optional{*word};
}

std::vector<std::string> names_of_subcommands(CLI::App& command) {
    std::vector<std::string> names;
    for (const auto* each : below(command)) names.push_back(each->get_name());
    return names;
}

std::string list_subcommands(CLI::App& command) {
    const auto names = names_of_subcommands(command);
    const std::vector<std::string_view> views{names.begin(), names.end()};
    return listed(views, "or");
}

/// CLI11's message for a value that it cannot read, rephrased.
std::string explain_conversion(std::string_view what) {
    constexpr std::string_view lead = "Could not convert: ";
    const auto equals = what.find(" = ");
    if (!what.starts_with(lead) || equals == std::string_view::npos) return std::string{what};
    return fmt::format("{} cannot be {}", what.substr(lead.size(), equals - lead.size()),
                       in_quotes(what.substr(equals + 3)));
}

/// The option whose value is missing, if that is the error.
const CLI::Option* without_value(CLI::App& command, const CLI::ParseError& mistake) {
    if (dynamic_cast<const CLI::ArgumentMismatch*>(&mistake) == nullptr) return nullptr;
    const std::string_view what = mistake.what();
    const auto name = what.substr(0, what.find(':'));
    return what.ends_with(" missing") ? command.get_option_no_throw(std::string{name}) : nullptr;
}

/// Renames CLI11's group "Subcommands" to "Commands".
void name_groups(CLI::App& parent) {
    for (auto* each : below(parent)) {
        each->group("Commands");
        name_groups(*each);
    }
}

std::string explain(CLI::App& root, CLI::App& command, const CLI::ParseError& mistake) {
    // An unknown word explains any other word that is missing.
    if (const auto word = leftover(root)) return explain_unknown(command, *word);
    const bool undecided = !names_of_subcommands(command).empty();
    if (undecided && dynamic_cast<const CLI::RequiredError*>(&mistake) != nullptr) {
        return fmt::format("say what to do: {}", list_subcommands(command));
    }
    if (const auto* option = without_value(command, mistake)) {
        return fmt::format("{} needs a value: {}", option->get_name(), option->get_type_name());
    }
    if (dynamic_cast<const CLI::ConversionError*>(&mistake) != nullptr) {
        return explain_conversion(mistake.what());
    }
    return mistake.what();
}

}  // namespace

commands::commands()
    : root_{"A chat, a file server and a request-reply server on io_uring, and a lab.", "sluice"} {
    root_.require_subcommand(1);
    root_.set_help_flag("-h,--help", "Print this help");
    root_.set_version_flag("--version", describe_build,
                           "Print the version, commit, compiler and libraries");
    root_.get_formatter()->column_width(28);
    root_.get_formatter()->label("SUBCOMMAND", "COMMAND");
}

void commands::on(CLI::App& command, action run) {
    entries_.push_back({&command, std::move(run)});
}

std::expected<commands::action, exit_status> commands::choose(std::vector<std::string> arguments) {
    name_groups(root_);
    std::ranges::reverse(arguments);  // CLI11 takes them from the back
    try {
        root_.parse(std::move(arguments));
    } catch (const CLI::CallForHelp&) {
        print(root_.help());
        return std::unexpected{exit_status::done};
    } catch (const CLI::CallForVersion& version) {
        print(std::string{version.what()} + '\n');
        return std::unexpected{exit_status::done};
    } catch (const CLI::ParseError& mistake) {
        auto& command = chosen(root_);
        return std::unexpected{report_usage_error(command, explain(root_, command, mistake))};
    }
    auto& command = chosen(root_);
    if (const auto filled = fill_in(root_, command); !filled) {
        return std::unexpected{report_usage_error(command, filled.error())};
    }
    return std::ranges::find(entries_, &command, &entry::command)->run;
}

exit_status commands::run(std::vector<std::string> arguments) {
    const auto found = choose(std::move(arguments));
    return found ? (*found)() : found.error();
}

std::vector<CLI::App*> below(CLI::App& parent) {
    return parent.get_subcommands([](CLI::App*) { return true; });
}

CLI::App* find_below(CLI::App& parent, std::string_view name) {
    const auto all = below(parent);
    const auto found = std::ranges::find(all, name, &CLI::App::get_name);
    return found == all.end() ? nullptr : *found;
}

std::string explain_unknown(CLI::App& command, const std::string& word) {
    const bool is_flag = word.starts_with('-');
    auto known = is_flag ? flags_of(command) : names_of_subcommands(command);
    const auto bare = word.substr(0, is_flag ? word.find('=') : std::string::npos);
    const auto near = nearest(bare, known);
    if (!near.empty())
        return fmt::format("there is no {}; did you mean {}?", in_quotes(bare), near);
    if (is_flag) return fmt::format("there is no flag {}", in_quotes(bare));
    if (known.empty()) return fmt::format("{} is one word too many", in_quotes(bare));
    return fmt::format("there is no command {}; there is {}", in_quotes(bare),
                       list_subcommands(command));
}

std::string path_of(const CLI::App& command) {
    const auto* parent = command.get_parent();
    if (parent == nullptr) return {};
    const auto above = path_of(*parent);
    return above.empty() ? command.get_name() : above + ' ' + command.get_name();
}

exit_status report_usage_error(const CLI::App& command, std::string_view mistake) {
    const auto path = path_of(command);
    const auto help = path.empty() ? "sluice --help" : fmt::format("sluice help {}", path);
    show_on_stderr(fmt::format("sluice: {} (more: {})\n", mistake, help));
    return exit_status::usage;
}

}  // namespace sluice::cli
