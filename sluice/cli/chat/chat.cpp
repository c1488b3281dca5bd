// `sluice chat`: the commands of the chat server and its client.
#include "sluice/cli/subcommands.hpp"

namespace sluice::cli {

void add_chat(commands& all) {
    auto* chat = all.root().add_subcommand("chat", "Talk with many at once, in rooms");
    chat->require_subcommand(1);
    add_chat_serve(all, *chat);
    add_chat_join(all, *chat);
}

}  // namespace sluice::cli
