// The tree of commands: parses the command line, fills in options, runs the chosen command.
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <string_view>
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

    /// Parses `arguments` (without the program's name) and fills in the options of the chosen
    /// command. Its action; or, where there is nothing to run, the status: a mistake was reported
    /// in a line on stderr (without arguments: the page of commands), or what was asked for was
    /// printed. May be called once.
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
};

/// The direct subcommands of `parent`, without hidden ones: those whose group is empty.
[[nodiscard]] std::vector<CLI::App*> below(const CLI::App& parent);
/// The one of that name, or nullptr.
[[nodiscard]] CLI::App* find_below(const CLI::App& parent, std::string_view name);

/// The message for a word or a flag that `command` does not know.
[[nodiscard]] std::string explain_unknown(const CLI::App& command, const std::string& word);

/// The words that select `command`, without the program's name: "talk serve".
[[nodiscard]] std::string path_of(const CLI::App& command);

/// Reports a usage error on stderr, and where to read more; returns exit_status::usage.
exit_status report_usage_error(const CLI::App& command, std::string_view mistake);

}  // namespace sluice::cli
