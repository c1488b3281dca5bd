// The text of sluice.conf(5): the format of the configuration, and the keys of each section.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/cli/manual/man_page.hpp"
#include "sluice/cli/manual/roff.hpp"

namespace sluice::cli {
namespace {

constexpr std::string_view config_flag = "--config";

constexpr std::string_view format_text =
    "A line is empty, a comment (from `#` or `;` to its end), a section in brackets, or `key = "
    "value`. A key is the name of an option without its dashes, and `_` may stand for `-`. A value "
    "in double or single quotes may hold `#`, `;` and spaces at its ends; there are no escapes. An "
    "option that takes no value is set by `true`, `yes`, `on` or `1`, and left by `false`, `no`, "
    "`off` or `0`.\n\n"
    "The name of a setting is the words of the command and the option, joined by dots, and a "
    "section is the beginning of such names: `[serve.chat]` with `rate = 20`, `[serve]` with "
    "`chat.rate = 20`, and `serve --chat.rate 20` say the same. Keys below `[chat]` are for every "
    "chat, alone or in `sluice serve`, those below `[chat.serve]` for `sluice chat serve`, those "
    "below `[serve.chat.team]` for one more chat of `sluice serve`, and those above any section "
    "for all servers that have such an option. The more exact name wins, wherever it stands, and "
    "of two equal ones the later. A name that no server knows is an error, which names the file "
    "and the line; `sluice config check` finds all.\n\n"
    "A flag on the command line beats a variable `SLUICE_*` of the environment, which beats the "
    "file.";

constexpr std::string_view reload_text =
    "On SIGHUP a server reads the file again. What can be changed while it runs is in force then; "
    "which other keys have changed is said in the log, and they wait for the next start. A file "
    "with a mistake leaves all as it was.";

constexpr std::string_view example_text =
    "log-format = json\n"
    "\n"
    "[chat.serve]\n"
    "listen = 0.0.0.0:5000\n"
    "open = true        # all may talk who reach it\n"
    "rate = 20\n"
    "\n"
    "[files.serve]\n"
    "http = 0.0.0.0:8080\n"
    "quota = 10G\n"
    "allow = upload:/inbox\n";

/// The section of a command: `chat.serve`.
std::string section_of(const command_page& page) {
    std::string name = page.path;
    std::ranges::replace(name, ' ', '.');
    return name;
}

/// The long names of an option, without their dashes.
std::string keys_of(const option_entry& option) {
    std::string keys;
    for (const std::string_view name : option.names) {
        if (name.starts_with("--")) keys.append(keys.empty() ? "" : ", ").append(name.substr(2));
    }
    return keys;
}

using server_pages = std::vector<const command_page*>;

/// Whether all servers have it, and mean the same.
bool is_common(const option_entry& option, const server_pages& servers) {
    return std::ranges::all_of(servers, [&option](const auto* page) {
        const auto* same = page->find_option(option.names.back());
        return same != nullptr && same->text == option.text;
    });
}

void write_keys(roff& out, const command_page& page, const server_pages& servers, bool common) {
    for (const auto& option : page.options) {
        if (option.variable.empty() || is_common(option, servers) != common) continue;
        const auto keys = keys_of(option);
        if (option.names.back() == config_flag) continue;
        const auto value = option.takes_value() ? option.placeholder : std::string{"true|false"};
        out.entry(keys + " =", option.text, value);
    }
}

}  // namespace

std::string_view example_config() noexcept {
    return example_text;
}

std::string config_man_page(std::span<const command_page> pages) {
    server_pages servers;
    for (const auto& page : pages) {
        if (page.find_option(config_flag) != nullptr) servers.push_back(&page);
    }
    roff out{"sluice.conf", "5"};
    out.section("NAME");
    out.paragraphs("sluice.conf - configuration of the servers of sluice");
    out.section("DESCRIPTION");
    out.paragraphs(
        "A server of `sluice` takes options from the file that `--config` names, or else from the "
        "first of `$XDG_CONFIG_HOME/sluice/sluice.conf` (`~/.config/sluice/sluice.conf`) and "
        "`/etc/sluice/sluice.conf` that exists; `--config none` reads none. Whatever an option can "
        "say, a line of the file can.");
    out.subsection("Format");
    out.paragraphs(format_text);
    out.subsection("Changes while a server runs");
    out.paragraphs(reload_text);
    out.section("KEYS OF EVERY SERVER");
    if (!servers.empty()) write_keys(out, *servers.front(), servers, true);
    for (const auto* page : servers) {
        out.section("KEYS OF [" + section_of(*page) + "]");
        write_keys(out, *page, servers, false);
    }
    out.section("EXAMPLES");
    out.verbatim(example_text);
    out.section("SEE ALSO");
    std::string names = "`sluice(1)`";
    for (const auto* page : servers) names += ", `" + man_name(*page) + "(1)`";
    out.paragraphs(names);
    return out.take();
}

}  // namespace sluice::cli
