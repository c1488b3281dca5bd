// `sluice files`: the commands of the file server and its client.
#include "sluice/cli/subcommands.hpp"

namespace sluice::cli {

void add_files(commands& all) {
    auto* files = all.root().add_subcommand("files", "Take files in, and give them out");
    files->require_subcommand(1);
    add_files_serve(all, *files);
    add_files_offer(all, *files);
    add_files_put(all, *files);
    add_files_get(all, *files);
}

}  // namespace sluice::cli
