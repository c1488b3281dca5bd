// Implements the manual pages of commands.
#include "sluice/cli/manual/man_page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>
#include <utility>

#include "sluice/cli/manual/roff.hpp"
#include "sluice/cli/text.hpp"

namespace sluice::cli {
namespace {

using row = std::pair<std::string_view, std::string_view>;

constexpr std::array<row, 4> server_signals_text{
    {{"SIGTERM, SIGINT",
      "The server accepts no more clients and drains for up to `--grace`; a second one ends it at "
      "once. A hangup of its own terminal drains it, too."},
     {"SIGHUP",
      "It reads its configuration, certificates and accounts again. What can be changed while it "
      "runs, such as the log level, counts from then on; what needs a restart is named in the log. "
      "A file that is no good leaves the old one in force."},
     {"SIGUSR1", "It prints its counters."},
     {"SIGUSR2", "It starts a successor, and hands its sockets over to it."}}};

constexpr row password_variable{"SLUICE_PASSWORD",
                                "The password of `--user`, which is asked for on the terminal "
                                "otherwise."};
constexpr std::array<row, 3> state_variables{
    {{"STATE_DIRECTORY", "The folder for certificates and the servers that are known."},
     {"XDG_STATE_HOME", "Without it: the folder is sluice below this one."},
     {"HOME", "Without both: .local/state/sluice below it; without a home, /var/lib/sluice."}}};

/// Begins small, as NAME has it: "sluice-chat - talk with many at once".
std::string as_name(std::string_view summary) {
    std::string text{summary};
    const bool word = text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])) != 0;
    const bool alone = text.size() > 1 && text[1] == ' ';
    if (word || alone) {
        text.front() = static_cast<char>(std::tolower(static_cast<unsigned char>(text.front())));
    }
    if (text.ends_with('.')) text.pop_back();
    return text;
}

std::string with_dashes(std::string text) {
    std::ranges::replace(text, ' ', '-');
    return text;
}

void write_options(roff& out, const command_page& page) {
    out.section("OPTIONS");
    for (const auto& operand : page.operands) out.entry({}, operand.text, operand.placeholder);
    for (const auto& group : groups_of(page)) {
        if (!group.empty()) out.subsection(group);
        for (const auto& option : page.options) {
            if (option.group != group) continue;
            const auto text = option.required ? option.text + " (required)" : option.text;
            out.entry(fmt::format("{}", fmt::join(option.names, ", ")), text, option.placeholder);
        }
    }
}

void write_environment(roff& out, const command_page& page) {
    out.section("ENVIRONMENT");
    const auto named = std::ranges::find_if(page.options, [](const auto& each) {
        return !each.variable.empty() && each.long_name().contains('-');
    });
    const auto any =
        std::ranges::find_if(page.options, [](const auto& each) { return !each.variable.empty(); });
    if (any != page.options.end()) {
        const auto& shown = named == page.options.end() ? *any : *named;
        out.entry("SLUICE_*",
                  fmt::format("Each option that need not be given can be set by a variable: that "
                              "of `{}` is `{}`. A flag "
                              "beats it; an empty one counts as unset. Options without a value "
                              "take `true` or `false`.",
                              "--" + std::string{shown.long_name()}, shown.variable));
    }
    const bool client = page.find_option("--token-file") != nullptr;
    if (client) out.entry(password_variable.first, password_variable.second);
    if (page.find_option("--cert") != nullptr) {
        for (const auto& [name, text] : state_variables) out.entry(name, text);
    }
    out.entry("COLUMNS", "How wide the page of `--help` is, if not as the terminal.");
    out.entry("NO_COLOR", "If it is set and not empty, nothing is coloured.");
}

void write_examples(roff& out, const command_page& page) {
    constexpr std::size_t example_columns = 66;  // on a terminal with 80, indented
    out.section("EXAMPLES");
    for (const auto& each : page.text->examples) {
        out.paragraphs(std::string{each.what} + ':');
        out.verbatim(wrapped_command(each.command, 0, example_columns));
    }
}

/// The commands above, beside and below it.
std::vector<std::string> related(const command_page& page, std::span<const command_page> all) {
    const auto parent_of = [](std::string_view path) {
        return path.substr(0, path.contains(' ') ? path.rfind(' ') : 0);
    };
    std::vector<std::string> found;
    for (const auto& each : all) {
        const bool above = each.path == parent_of(page.path) || each.path.empty();
        const bool beside = !each.path.empty() && page.path.contains(' ') &&
                            parent_of(each.path) == parent_of(page.path);
        const bool below = !each.path.empty() && parent_of(each.path) == page.path;
        if (each.path != page.path && (above || beside || below)) {
            found.push_back(man_name(each) + "(1)");
        }
    }
    return found;
}

void write_see_also(roff& out, const command_page& page, std::span<const command_page> all) {
    auto names = related(page, all);
    if (page.path.empty() || page.find_option("--config") != nullptr) {
        names.emplace_back("sluice.conf(5)");
    }
    for (const auto& each : page.text->see_also) names.emplace_back(each);
    out.section("SEE ALSO");
    out.paragraphs(fmt::format("`{}`", fmt::join(names, "`, `")));
}

std::string man_page(const command_page& page, std::span<const command_page> all) {
    const auto name = man_name(page);
    roff out{name, "1"};
    out.section("NAME");
    out.paragraphs(fmt::format("{} - {}", name, as_name(page.summary)));
    out.section("SYNOPSIS");
    const auto synopsis = page.synopsis();
    const auto line = page.command_line();
    out.paragraphs(fmt::format("`{}`{}", line, synopsis.substr(line.size())));
    out.section("DESCRIPTION");
    out.paragraphs(page.text->about);
    out.paragraphs(page.notes);
    if (!page.commands.empty()) out.section("COMMANDS");
    for (const auto& each : page.commands) out.entry(each.name, each.summary);
    write_options(out, page);
    if (page.is_server()) {
        out.section("SIGNALS");
        for (const auto& [signal, text] : server_signals_text) out.entry(signal, text);
    }
    out.section("EXIT STATUS");
    for (const auto& each : page.text->statuses) out.entry(each.status, each.meaning);
    write_environment(out, page);
    write_examples(out, page);
    write_see_also(out, page, all);
    return out.take();
}

}  // namespace

std::string man_name(const command_page& page) {
    return with_dashes(page.command_line());
}

std::vector<man_file> all_man_pages(const CLI::App& root) {
    const auto pages = read_pages(root);
    std::vector<man_file> files;
    files.reserve(pages.size() + 1);
    for (const auto& page : pages) files.push_back({man_name(page) + ".1", man_page(page, pages)});
    files.push_back({"sluice.conf.5", config_man_page(pages)});
    return files;
}

}  // namespace sluice::cli
