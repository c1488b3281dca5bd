// The tree of commands: parses the command line, fills in options, runs the chosen command.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "sluice/cli/exit_status.hpp"
#include "sluice/cli/option_sources.hpp"

namespace sluice::cli {

class server_command;

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
    using builder = std::function<void(commands&)>;

    /// `add_all` adds the commands.
    explicit commands(builder add_all);
    commands(const commands&) = delete;
    commands& operator=(const commands&) = delete;
    ~commands() = default;

    [[nodiscard]] CLI::App& root() noexcept { return root_; }
    /// Calls `run` if the user chose `command`, once all its options have their values. `server` is
    /// what it serves, if it serves.
    void on(CLI::App& command, action run, std::shared_ptr<server_command> server = nullptr);

    /// For a command whose options are not all known before: `add` adds those that the name of a
    /// flag, such as chat.team.rate, calls for, if there are none yet.
    using option_adder = std::function<void(std::string_view flag)>;
    void on_flag(CLI::App& command, option_adder add);
    /// Has the options added that a setting in a file calls for, such as serve.chat.team.rate.
    void add_options_for_setting(std::string_view name) const;

    /// What is said instead of running a command: what was asked for, or a mistake.
    struct answer {
        exit_status status = exit_status::done;
        std::string text;
        CLI::App* command = nullptr;  ///< whose mistake it is
    };
    /// Before parse(), to look at options without running a command: no option is required.
    void require_nothing();
    /// Parses `arguments` (without the program's name) and fills in the options of the chosen
    /// command. May be called once.
    [[nodiscard]] std::expected<void, answer> parse(std::vector<std::string> arguments) {
        return parse(std::move(arguments), usual_configuration());
    }
    /// The same, and its action; or, where there is nothing to run, the status: a mistake was
    /// reported in a line on stderr (without arguments: the page of commands), or what was asked
    /// for was printed.
    [[nodiscard]] std::expected<action, exit_status> choose(std::vector<std::string> arguments);
    /// The same, and runs that action.
    [[nodiscard]] exit_status run(std::vector<std::string> arguments);

    /// The words of the commands that serve.
    [[nodiscard]] std::vector<std::string> servers() const;
    /// All commands once more, without arguments.
    [[nodiscard]] std::unique_ptr<commands> another() const;

    // Once parse() has succeeded:

    /// The chosen command, the sources of its options, and what it serves, or nullptr.
    [[nodiscard]] CLI::App& command() const noexcept { return *chosen_->command; }
    [[nodiscard]] const settings& options() const noexcept { return options_; }
    [[nodiscard]] server_command* server() const noexcept { return chosen_->server.get(); }
    /// Parses the same arguments again, with the same file as it is now. The error is a sentence
    /// without its full stop.
    [[nodiscard]] std::expected<std::unique_ptr<commands>, std::string> read_again() const;

 private:
    [[nodiscard]] std::expected<void, answer> parse(std::vector<std::string> arguments,
                                                    const std::optional<std::string>& usual);

    struct entry {
        CLI::App* command;
        action run;
        std::shared_ptr<server_command> server;
    };
    struct adder {
        CLI::App* command;
        option_adder add;
    };

    CLI::App root_;
    builder add_all_;
    std::vector<entry> entries_;
    std::vector<adder> adders_;
    std::vector<std::string> arguments_;
    const entry* chosen_ = nullptr;
    settings options_;
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
