// What the tree of commands says of one command, as plain values: the one source of help pages,
// manual pages and completions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "sluice/cli/manual/command_text.hpp"

namespace sluice::cli {

/// How the value of an option or an operand is completed. `text` stands for values that only the
/// user knows, such as addresses.
enum class value_kind : std::uint8_t { none, text, choice, file, directory };

/// An option or an operand.
struct option_entry {
    std::vector<std::string> names;  ///< `-o` and `--output`; of an operand its name alone
    std::string placeholder;         ///< stands for the value, such as FILE; empty if there is none
    std::string text;                ///< what it does, with its default in parentheses at the end
    std::string default_value;       ///< as a user would write it; empty if it is not known
    std::string variable;  ///< of the environment, as SLUICE_LISTEN; empty if none sets it
    std::string group;     ///< the heading above it; empty for the common one
    std::vector<std::string> choices;
    value_kind value = value_kind::none;
    bool value_may_lack = false;  ///< it may stand without its value
    bool required = false;
    bool repeats = false;  ///< it may be given several times

    /// `-o, --output FILE`.
    [[nodiscard]] std::string usage() const;
    /// The long name without its dashes; empty if there is none.
    [[nodiscard]] std::string_view long_name() const noexcept;
    [[nodiscard]] bool takes_value() const noexcept { return value != value_kind::none; }
};

/// A command below another.
struct command_entry {
    std::string name;
    std::string summary;
};

/// A command.
struct command_page {
    std::string path;  ///< `chat serve`; empty for the program itself
    std::string summary;
    std::string notes;  ///< a paragraph; may be empty
    std::vector<option_entry> operands;
    std::vector<option_entry> options;  ///< in the order of the help, groups together
    std::vector<command_entry> commands;
    const command_text* text = nullptr;  ///< never null

    /// `sluice chat serve`.
    [[nodiscard]] std::string command_line() const;
    /// Command line, required options and operands, as in `sluice token --auth FILE [OPTIONS]
    /// NAME`.
    [[nodiscard]] std::string synopsis() const;
    /// The option of that name with its dashes, or nullptr.
    [[nodiscard]] const option_entry* find_option(std::string_view name) const noexcept;
    /// Whether it serves clients until it is stopped.
    [[nodiscard]] bool is_server() const noexcept;
};

/// The page of one command.
[[nodiscard]] command_page read_page(const CLI::App& command);
/// That of `root` and of all commands below it but hidden ones, each before those below it.
[[nodiscard]] std::vector<command_page> read_pages(const CLI::App& root);

/// The headings of the options of a page, in their order.
[[nodiscard]] std::vector<std::string> groups_of(const command_page& page);

}  // namespace sluice::cli
