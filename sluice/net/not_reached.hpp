// What a client says to its user when nobody answers where it was sent.
#pragma once

#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/net/address.hpp"

namespace sluice::net {

/// One sentence without its full stop. `command` starts what should listen there, such as
/// `chat serve`.
[[nodiscard]] std::string why_not_reached(std::string_view command, const net::address& where,
                                          error why);

}  // namespace sluice::net
