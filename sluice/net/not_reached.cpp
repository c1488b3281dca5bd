// Implements why_not_reached(): one sentence per reason.
#include "sluice/net/not_reached.hpp"

#include <fmt/format.h>

#include <cerrno>

namespace sluice::net {

std::string why_not_reached(std::string_view command, const net::address& where, error why) {
    if (why.is(ECONNREFUSED)) {
        return fmt::format(
            "nobody listens at {} ({}): start a server there with 'sluice {}', or correct the "
            "address",
            where.to_string(), why.message(), command);
    }
    return fmt::format("cannot reach {} ({}): check the address, and the way there",
                       where.to_string(), why.message());
}

}  // namespace sluice::net
