// Implements `sluice config` and `sluice config check`: every mistake of a configuration.
#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/cli/option_sources.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/part.hpp"
#include "sluice/cli/subcommands.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/cli/text_file.hpp"

namespace sluice::cli {
namespace {

/// The file that commands would read now.
std::optional<std::string> file_in_use() {
    const char* named = std::getenv("SLUICE_CONFIG");
    if (named == nullptr || *named == '\0') return usual_configuration();
    if (named == no_configuration) return std::nullopt;
    return named;
}

/// What each command that serves has against settings that it can read, a line each.
std::vector<std::string> refusals(const commands& all, const std::string& file) {
    std::vector<std::string> lines;
    for (const auto& path : all.servers()) {
        const auto tree = all.another();
        tree->require_nothing();
        std::vector<std::string> words;
        for (const auto word : std::views::split(path, ' ')) {
            words.emplace_back(std::string_view{word});
        }
        words.insert(words.end(), {"--config", file});
        const auto parsed = tree->parse(std::move(words));
        const auto why = parsed ? tree->server()->why_not() : parsed.error().text;
        if (why) lines.push_back(fmt::format("{}: in {}: {}\n", file, path, *why));
    }
    return lines;
}

exit_status check_configuration(const commands& all, std::string file) {
    if (file.empty()) {
        const auto used = file_in_use();
        if (!used) {
            print("there is no configuration, so all is by default\n");
            return exit_status::done;
        }
        file = *used;
    }
    const auto text = read_text(file);
    if (!text) {
        return report_usage_error(
            all.command(), fmt::format("cannot read the configuration {}: {}", in_quotes(file),
                                       text.error().message()));
    }
    const auto mistakes = mistakes_of(*all.another(), *text);
    for (const auto& each : mistakes) print(fmt::format("{}:{}: {}\n", file, each.line, each.what));
    if (!mistakes.empty()) return exit_status::usage;
    const auto refused = refusals(all, file);
    for (const auto& each : refused) print(each);
    if (!refused.empty()) return exit_status::usage;
    print(fmt::format("{}: no mistakes\n", file));
    return exit_status::done;
}

}  // namespace

void add_config_check(commands& all, CLI::App& config) {
    auto* command = config.add_subcommand("check", "Find every mistake of a configuration");
    auto file = std::make_shared<std::string>();
    command
        ->add_option("FILE", *file,
                     "SLUICE_CONFIG, else ~/.config/sluice/sluice.conf, else "
                     "/etc/sluice/sluice.conf")
        ->type_name("");
    all.on(*command, [&all, file] { return check_configuration(all, *file); });
}

void add_config(commands& all) {
    auto* config =
        all.root().add_subcommand("config", "Check a configuration, show what is in force");
    config->require_subcommand(1);
    add_config_check(all, *config);
    add_config_show(all, *config);
}

}  // namespace sluice::cli
