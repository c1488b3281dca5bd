// Parses the command line with CLI11, explains usage errors, and runs the chosen command.
#include "sluice/cli/commands.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "sluice/cli/build_info.hpp"
#include "sluice/cli/manual/help_page.hpp"
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

std::vector<std::string> names_of_subcommands(const CLI::App& command) {
    std::vector<std::string> names;
    for (const auto* each : below(command)) names.push_back(each->get_name());
    return names;
}

std::string list_subcommands(const CLI::App& command) {
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

commands::commands(builder add_all)
    : root_{"A chat, a file server and a request-reply server on io_uring, and a lab.", "sluice"},
      add_all_{std::move(add_all)} {
    root_.require_subcommand(1);
    root_.set_help_flag("-h,--help", "Print this help");
    root_.set_version_flag("--version", describe_build,
                           "Print the version, commit, compiler and libraries");
    add_all_(*this);
}

void commands::on(CLI::App& command, action run, std::shared_ptr<server_command> server) {
    entries_.push_back({&command, std::move(run), std::move(server)});
}

void commands::on_flag(CLI::App& command, option_adder add) {
    adders_.push_back({&command, std::move(add)});
}

void commands::add_options_for_setting(std::string_view name) const {
    for (const auto& each : adders_) {
        auto beginning = path_of(*each.command) + '.';
        std::ranges::replace(beginning, ' ', '.');
        if (name.starts_with(beginning)) each.add(name.substr(beginning.size()));
    }
}

void commands::require_nothing() {
    const auto relax = [](auto& self, CLI::App& command) -> void {
        for (auto* option : command.get_options()) option->required(false);
        for (auto* each : below(command)) self(self, *each);
    };
    relax(relax, root_);
}

std::expected<void, commands::answer> commands::parse(std::vector<std::string> arguments,
                                                      const std::optional<std::string>& usual) {
    if (arguments.empty()) {
        return std::unexpected{answer{.status = exit_status::usage,
                                      .text = help_page(root_, columns_of(STDERR_FILENO))}};
    }
    arguments_ = arguments;
    for (const std::string_view word : arguments_) {
        if (!word.starts_with("--")) continue;
        for (const auto& each : adders_) each.add(word.substr(2, word.find('=') - 2));
    }
    const auto mistake = [](CLI::App& command, std::string what) {
        return std::unexpected{answer{exit_status::usage, std::move(what), &command}};
    };
    std::ranges::reverse(arguments);  // CLI11 takes them from the back
    try {
        root_.parse(std::move(arguments));
    } catch (const CLI::CallForHelp&) {
        auto& command = cli::chosen(root_);
        return std::unexpected{answer{.text = help_page(command, columns_of(STDOUT_FILENO))}};
    } catch (const CLI::CallForVersion& version) {
        return std::unexpected{answer{.text = std::string{version.what()} + '\n'}};
    } catch (const CLI::ParseError& error) {
        auto& command = cli::chosen(root_);
        return mistake(command, explain(root_, command, error));
    }
    auto& command = cli::chosen(root_);
    auto filled = fill_in(*this, command, usual);
    if (!filled) return mistake(command, std::move(filled.error()));
    options_ = std::move(*filled);
    chosen_ = &*std::ranges::find(entries_, &command, &entry::command);
    return {};
}

std::expected<commands::action, exit_status> commands::choose(std::vector<std::string> arguments) {
    const auto parsed = parse(std::move(arguments));
    if (parsed) return chosen_->run;
    const auto& said = parsed.error();
    if (said.command != nullptr) {
        report_usage_error(*said.command, said.text);
    } else if (said.status == exit_status::done) {
        print(said.text);
    } else {
        show_on_stderr(said.text);
    }
    return std::unexpected{said.status};
}

std::vector<std::string> commands::servers() const {
    std::vector<std::string> all;
    for (const auto& each : entries_) {
        if (each.server) all.push_back(path_of(*each.command));
    }
    return all;
}

std::unique_ptr<commands> commands::another() const {
    return std::make_unique<commands>(add_all_);
}

std::expected<std::unique_ptr<commands>, std::string> commands::read_again() const {
    auto again = another();
    // A sandbox shows no other file by now.
    const auto usual = options_.file.empty() ? std::nullopt : std::optional{options_.file};
    if (auto done = again->parse(arguments_, usual); !done) {
        return std::unexpected{std::move(done.error().text)};
    }
    return again;
}

exit_status commands::run(std::vector<std::string> arguments) {
    const auto found = choose(std::move(arguments));
    return found ? (*found)() : found.error();
}

std::vector<CLI::App*> below(const CLI::App& parent) {
    std::vector<CLI::App*> all;
    for (const auto* each : parent.get_subcommands([](const CLI::App*) { return true; })) {
        if (!each->get_group().empty()) all.push_back(parent.get_subcommand(each));
    }
    return all;
}

CLI::App* find_below(const CLI::App& parent, std::string_view name) {
    const auto all = below(parent);
    const auto found = std::ranges::find(all, name, &CLI::App::get_name);
    return found == all.end() ? nullptr : *found;
}

std::string explain_unknown(const CLI::App& command, const std::string& word) {
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
