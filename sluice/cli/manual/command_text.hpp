// What help and manual say of a command beside its options: a description, examples, exit statuses.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace sluice::cli {

/// A command line that works as it stands, with what it is for.
struct example {
    std::string_view what;  ///< a sentence without its full stop
    std::string_view command;
};

struct status_text {
    std::string_view status;
    std::string_view meaning;
};

/// The text of a command. `code` stands between backticks.
struct command_text {
    std::string_view path;   ///< of the command, as path_of() has it; empty for the program
    std::string_view about;  ///< paragraphs, with an empty line between them
    std::vector<example> examples;
    std::vector<status_text> statuses;
    std::string_view operands;               ///< in the synopsis, where the tree does not know them
    std::vector<std::string_view> see_also;  ///< pages besides those of sluice, as in `nc(1)`
};

/// The texts of all commands.
[[nodiscard]] std::span<const command_text> all_texts();
/// The text of the command at `path`; one without examples if there is none.
[[nodiscard]] const command_text& text_of(std::string_view path);

}  // namespace sluice::cli
