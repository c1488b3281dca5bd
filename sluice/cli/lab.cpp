// `sluice lab`: what is fastest on this machine.
#include "sluice/cli/lab_compare.hpp"
#include "sluice/cli/subcommands.hpp"

namespace sluice::cli {

void add_lab(commands& all) {
    auto* lab = all.root().add_subcommand("lab", "Measure what is fastest on this machine");
    lab->require_subcommand(1);
    add_lab_compare(all, *lab);
}

}  // namespace sluice::cli
