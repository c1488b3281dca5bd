// What happens with one connection of the chat: lines in, lines out, until it ends.
#pragma once

#include "sluice/base/fd.hpp"
#include "sluice/chat/server/hub.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/model/address_limit.hpp"

namespace sluice::chat {

/// Serves one member from its greeting to its last line. Ends when the peer does, when it says
/// `exit` or `/quit`, when it breaks a limit or is dismissed, or when its context is cancelled.
/// `permit` is kept until the connection is closed.
[[nodiscard]] coro::task<void> serve_member(hub& h, unique_fd socket,
                                            model::address_limit::permit permit);

}  // namespace sluice::chat
