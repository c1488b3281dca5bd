// The tree of commands: parses the command line, fills in what it left open, runs what was chosen.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "sluice/cli/exit_status.hpp"

namespace sluice::cli {

/// All commands of the program. A subcommand is added by a function of its own (subcommands.hpp),
/// which hangs a CLI::App into the tree and says what runs:
///
///     void add_echo(commands& all) {
///         auto* echo = all.root().add_subcommand("echo", "Say it again");
///         auto said = std::make_shared<std::string>();
///         echo->add_option("TEXT", *said, "What to say")->required();
///         all.on(*echo, [said] { return say(*said); });
///     }
class commands {
 public:
    using action = std::function<exit_status()>;

    commands();
    commands(const commands&) = delete;
    commands& operator=(const commands&) = delete;
    ~commands() = default;

    [[nodiscard]] CLI::App& root() noexcept { return root_; }
    /// `run` is called if the user chose `command`, once all its options have their values.
    void on(CLI::App& command, action run);

    /// Parses `arguments` (without the program's name) and runs what they choose. What is wrong
    /// with them is said in one line on stderr. May be called once.
    [[nodiscard]] exit_status run(std::vector<std::string> arguments);

 private:
    struct entry {
        CLI::App* command;
        action run;
    };

    CLI::App root_;
    std::vector<entry> entries_;
};

/// The commands right below `parent`.
[[nodiscard]] std::vector<CLI::App*> below(CLI::App& parent);
/// The one of them that is called `name`, or nullptr.
[[nodiscard]] CLI::App* find_below(CLI::App& parent, std::string_view name);

/// What to say of a word or a flag that `command` does not know.
[[nodiscard]] std::string explain_unknown(CLI::App& command, const std::string& word);

/// The words that lead to `command` from below the program's name: "talk serve".
[[nodiscard]] std::string path_of(const CLI::App& command);

/// Says on stderr what the user did wrong, and where to read more; gives exit_status::usage.
exit_status complain(const CLI::App& command, std::string_view mistake);

}  // namespace sluice::cli
