// Has clients say who they are before their service sees them.
#pragma once

#include "sluice/auth/line_login.hpp"
#include "sluice/model/access_log.hpp"
#include "sluice/model/service.hpp"

namespace sluice::model {

/// Where clients are told of that a door does not let in.
struct refused_logins {
    access_log* log = nullptr;  ///< outlives the service; null: nowhere
    access_kind kind = access_kind::question;
};

/// Records that a client was turned away, whom a door began to ask at `begun`. Nothing of what it
/// said is shown.
void tell_turned_away(const refused_logins& to, const net::address& client,
                      const auth::turned_away& what, io::time_point begun) noexcept;

/// `serve` for clients that the door lets in (auth::ask_who()); the others are told why not.
[[nodiscard]] service with_login(auth::line_door door, service serve, refused_logins told = {});

}  // namespace sluice::model
