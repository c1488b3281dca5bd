// Implements the command line: adds all commands, and runs the chosen one.
#include "sluice/cli/run_program.hpp"

#include "sluice/cli/commands.hpp"
#include "sluice/cli/subcommands.hpp"

namespace sluice::cli {

exit_status run_program(const std::vector<std::string>& arguments) {
    commands all{add_all};
    return all.run(arguments);
}

}  // namespace sluice::cli
