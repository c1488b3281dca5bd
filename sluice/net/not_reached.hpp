// Error message of a client that could not connect to its server.
#pragma once

#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/net/address.hpp"

namespace sluice::net {

/// One sentence without its full stop. `command` is the server's, such as `chat serve`.
[[nodiscard]] std::string why_not_reached(std::string_view command, const net::address& where,
                                          error why);

}  // namespace sluice::net
