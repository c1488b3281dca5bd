// `sluice help COMMAND`: the same page as `sluice COMMAND --help`.
#include <memory>

#include "sluice/cli/output.hpp"
#include "sluice/cli/subcommands.hpp"

namespace sluice::cli {
namespace {

exit_status show_help(CLI::App& root, const std::vector<std::string>& words) {
    auto* command = &root;
    std::string above;
    for (const auto& word : words) {
        auto* next = find_below(*command, word);
        if (next == nullptr) {
            return report_usage_error(*command, explain_unknown(*command, word));
        }
        above += above.empty() ? command->get_name() : ' ' + command->get_name();
        command = next;
    }
    // The root has `help` selected and would print that command's page instead of its own.
    const auto page = command == &root ? root.get_formatter()->make_help(&root, root.get_name(),
                                                                         CLI::AppFormatMode::Normal)
                                       : command->help(above);
    print(page);
    return exit_status::done;
}

}  // namespace

void add_help(commands& all) {
    auto* help = all.root().add_subcommand("help", "Explain a command");
    auto words = std::make_shared<std::vector<std::string>>();
    help->add_option("COMMAND", *words, "Its words, as in: sluice help talk serve");
    all.on(*help, [&root = all.root(), words] { return show_help(root, *words); });
}

}  // namespace sluice::cli
