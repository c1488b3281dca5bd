// `sluice help COMMAND`: the same page as `sluice COMMAND --help`.
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "sluice/cli/manual/help_page.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/subcommands.hpp"

namespace sluice::cli {
namespace {

exit_status show_help(const CLI::App& root, const std::vector<std::string>& words) {
    const auto* command = &root;
    for (const auto& word : words) {
        const auto* next = find_below(*command, word);
        if (next == nullptr) {
            return report_usage_error(*command, explain_unknown(*command, word));
        }
        command = next;
    }
    print(help_page(*command, columns_of(STDOUT_FILENO)));
    return exit_status::done;
}

}  // namespace

void add_help(commands& all) {
    auto* help = all.root().add_subcommand("help", "Explain a command");
    auto words = std::make_shared<std::vector<std::string>>();
    help->add_option("COMMAND", *words, "Its words, as in: sluice help talk serve")->type_name("");
    all.on(*help, [&root = all.root(), words] { return show_help(root, *words); });
}

}  // namespace sluice::cli
