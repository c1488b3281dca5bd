// The tree of commands: parses the command line, fills in options, runs the chosen command.
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "sluice/cli/exit_status.hpp"

namespace sluice::cli {

/// All commands of the program. A function per subcommand (subcommands.hpp) adds a CLI::App to the
/// tree and registers the function that runs it:
///
///     void add_echo(commands& all) {
///         auto* echo = all.root().add_subcommand("echo", "Print a text");
///         auto text = std::make_shared<std::string>();
///         echo->add_option("TEXT", *text, "The text")->required();
///         all.on(*echo, [text] { return print_text(*text); });
///     }
class commands {
 public:
    using action = std::function<exit_status()>;

    commands();
    commands(const commands&) = delete;
    commands& operator=(const commands&) = delete;
    ~commands() = default;

    [[nodiscard]] CLI::App& root() noexcept { return root_; }
    /// Calls `run` if the user chose `command`, once all its options have their values.
    void on(CLI::App& command, action run);

    /// A command whose options are not all known before: `add` adds those that the name of a
    /// setting, such as chat.team.rate, calls for, if there are none yet.
    using option_adder = std::function<void(std::string_view name)>;
    void on_name(option_adder add) { adders_.push_back(std::move(add)); }
    /// Tells them all of a name. Before the options are looked up.
    void add_options_for(std::string_view name) const;

    /// Parses `arguments` (without the program's name) and fills in the options of the chosen
    /// command. Its action; or, where there is nothing to run, the status: a mistake was reported
    /// in a line on stderr, or what was asked for was printed. May be called once.
    [[nodiscard]] std::expected<action, exit_status> choose(std::vector<std::string> arguments);
    /// The same, and runs that action.
    [[nodiscard]] exit_status run(std::vector<std::string> arguments);

 private:
    struct entry {
        CLI::App* command;
        action run;
    };

    CLI::App root_;
    std::vector<entry> entries_;
    std::vector<option_adder> adders_;
};

/// The direct subcommands of `parent`.
[[nodiscard]] std::vector<CLI::App*> below(CLI::App& parent);
/// The direct subcommand of that name, or nullptr.
[[nodiscard]] CLI::App* find_below(CLI::App& parent, std::string_view name);

/// The message for a word or a flag that `command` does not know.
[[nodiscard]] std::string explain_unknown(CLI::App& command, const std::string& word);

/// The words that select `command`, without the program's name: "talk serve".
[[nodiscard]] std::string path_of(const CLI::App& command);

/// Reports a usage error on stderr, and where to read more; returns exit_status::usage.
exit_status report_usage_error(const CLI::App& command, std::string_view mistake);

}  // namespace sluice::cli
