// The lines that begin with a slash.
#pragma once

#include <string_view>

#include "sluice/service/chat/hub.hpp"
#include "sluice/service/chat/member.hpp"

namespace sluice::service::chat {

/// Carries out `line`, which begins with '/', for `m`; the answer goes to `m` alone, what others
/// must know to its room. False if `m` wants to go.
[[nodiscard]] bool command(hub& h, member& m, std::string_view line);

}  // namespace sluice::service::chat
