// `sluice serve`: chat, files and compute in one process, several of each if wanted.
#include <array>
#include <memory>
#include <string_view>
#include <utility>

#include "sluice/cli/part.hpp"
#include "sluice/cli/serve_options.hpp"
#include "sluice/cli/subcommands.hpp"

namespace sluice::cli {
namespace {

using part_maker = std::unique_ptr<part> (*)(part_name);

/// In the order in which they are announced.
constexpr std::array<std::pair<std::string_view, part_maker>, 3> kinds{
    {{"files", make_files_part}, {"compute", make_compute_part}, {"chat", make_chat_part}}};

/// So many options would make the program slow to start.
constexpr std::size_t most_parts = 64;

}  // namespace

void add_serve(commands& all) {
    auto* command = all.root().add_subcommand("serve", "Chat, files and compute in one process");
    auto server = std::make_shared<server_command>();
    for (const auto& [kind, make] : kinds) {
        server->add(*command, make({.kind = std::string{kind}}));
    }
    add_serve_options_of_many_listeners(*command, server->common, "SLUICE_HTTP");
    all.on_flag(*command, [command, server](std::string_view flag) {
        const auto name = part_name::of_setting(flag);
        if (!name || server->find(*name) != nullptr || server->size() == most_parts) return;
        for (const auto& [kind, make] : kinds) {
            if (kind == name->kind) server->add(*command, make(*name));
        }
    });
    all.on(*command, [&all, server] { return server->run(all); }, server);
}

}  // namespace sluice::cli
