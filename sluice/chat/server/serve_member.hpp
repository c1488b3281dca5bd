// Declares serve_member(), the session of one chat member.
#pragma once

#include "sluice/chat/server/hub.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/model/service.hpp"

namespace sluice::chat {

/// Serves one member from its greeting to its last line, and closes its connection. Ends when the
/// peer does, when it says `exit` or `/quit`, when it breaks a limit or is dismissed, or when its
/// context is cancelled. The hub outlives it.
[[nodiscard]] coro::task<void> serve_member(hub& h, model::accepted_connection client);

}  // namespace sluice::chat
