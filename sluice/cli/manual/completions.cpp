// `sluice completions SHELL`: prints a script that completes command lines.
#include "sluice/cli/manual/completions.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>
#include <string_view>
#include <utility>

#include "sluice/cli/options.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/subcommands.hpp"

namespace sluice::cli {
namespace {

using script = std::string (*)(std::span<const command_page>);

exit_status print_completion(const CLI::App& root, script made_for) {
    print(made_for(completed_pages(root)));
    return exit_status::done;
}

}  // namespace

std::vector<command_page> completed_pages(const CLI::App& root) {
    constexpr std::string_view help = "help";
    auto pages = read_pages(root);
    std::vector<command_page> explained;
    for (const auto& page : pages) {
        if (page.commands.empty()) continue;
        const auto path = std::string{help} + (page.path.empty() ? "" : " ") + page.path;
        explained.push_back({.path = path,
                             .summary = page.summary,
                             .notes = {},
                             .operands = {},
                             .options = {},
                             .commands = page.commands,
                             .text = page.text});
    }
    const auto found = std::ranges::find(pages, help, &command_page::path);
    if (found == pages.end()) return pages;
    explained.front().options = found->options;
    pages.erase(found);
    std::ranges::move(explained, std::back_inserter(pages));
    return pages;
}

std::string filled_in(std::string_view script, std::string_view commands) {
    constexpr std::string_view place = "@commands@";
    std::string whole{script};
    whole.replace(whole.find(place), place.size(), commands);
    return whole;
}

std::string in_short(const option_entry& option) {
    const std::string_view text = option.text;
    const auto first = text.substr(0, text.find(';'));
    return std::string{first.ends_with(')') ? first.substr(0, first.rfind(" (")) : first};
}

std::string shell_quoted(std::string_view text) {
    std::string quoted{"'"};
    for (const char c : text) {
        if (c == '\'') {
            quoted += "'\\''";
        } else {
            quoted += c;
        }
    }
    return quoted + '\'';
}

void add_completions(commands& all) {
    constexpr std::array<std::pair<std::string_view, script>, 3> scripts{
        {{"bash", bash_completion}, {"zsh", zsh_completion}, {"fish", fish_completion}}};
    auto* command = all.root().add_subcommand("completions", "Print what completes for a shell");
    auto chosen = std::make_shared<script>(bash_completion);
    add_value(*command, "SHELL", *chosen, one_of{scripts}, "", "bash, zsh or fish")->required();
    all.on(*command, [&root = all.root(), chosen] { return print_completion(root, *chosen); });
}

}  // namespace sluice::cli
