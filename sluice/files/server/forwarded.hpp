// The client that a trusted proxy names in X-Forwarded-For.
#pragma once

#include <vector>

#include "sluice/http/request.hpp"
#include "sluice/net/address.hpp"
#include "sluice/net/network.hpp"

namespace sluice::files {

/// The address of the client of a request that came from `from`, which is trusted: in the lists of
/// all fields X-Forwarded-For, from the last element to the first, the first one that is not
/// trusted. Each proxy appends the address that its request came from, so all before that one is
/// what a client wrote itself. Without such an element the last proxy on that way. Without a port.
/// Throws std::bad_alloc.
[[nodiscard]] net::address forwarded_client(const http::http_request& request,
                                            const std::vector<net::network>& trusted,
                                            net::address from);

}  // namespace sluice::files
