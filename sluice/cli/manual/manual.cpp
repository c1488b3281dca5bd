// `sluice manual DIR`: writes the manual pages, for the build; no help names it.
#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <memory>
#include <string>

#include "sluice/cli/manual/man_page.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/subcommands.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/cli/text_file.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::cli {
namespace {

exit_status fail_to_write(const std::string& path, error why) {
    show_on_stderr(fmt::format("sluice: cannot write {}: {}\n", in_quotes(path), why.message()));
    return exit_status::failed;
}

exit_status write_manual(const CLI::App& root, const std::string& folder) {
    const int made = os::sys().mkdirat(AT_FDCWD, folder.c_str(), 0777);
    if (made < 0 && made != -EEXIST) return fail_to_write(folder, error::system(-made));
    for (const auto& file : all_man_pages(root)) {
        const auto path = folder + '/' + file.name;
        const auto done = replace_text(path, path + ".part", file.text);
        if (!done) return fail_to_write(path, done.error());
    }
    return exit_status::done;
}

}  // namespace

void add_manual(commands& all) {
    auto* command = all.root().add_subcommand("manual", "Write the manual pages")->group("");
    auto folder = std::make_shared<std::string>();
    command->add_option("DIR", *folder, "Where to; made if need be")->required()->type_name("");
    all.on(*command, [&root = all.root(), folder] { return write_manual(root, *folder); });
}

}  // namespace sluice::cli
