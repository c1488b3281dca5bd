// Has clients say who they are before their service sees them.
#pragma once

#include "sluice/auth/line_login.hpp"
#include "sluice/model/service.hpp"

namespace sluice::model {

/// `serve` for clients that the door lets in (auth::ask_who()); the others are told why not.
[[nodiscard]] service with_login(auth::line_door door, service serve);

}  // namespace sluice::model
