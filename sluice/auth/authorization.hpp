// What a client of an HTTP server says to be known: the field Authorization.
#pragma once

#include <optional>
#include <string_view>

#include "sluice/auth/credentials.hpp"

namespace sluice::auth {

/// The challenge of a server that takes names and passwords (RFC 7617); tokens need not be asked
/// for.
inline constexpr std::string_view basic_challenge = R"(Basic realm="sluice", charset="UTF-8")";

/// The name and password of scheme Basic (RFC 7617, section 2), or the token of Bearer (RFC 6750,
/// section 2.1), that this value of Authorization holds; none for any other value.
[[nodiscard]] std::optional<credentials> read_authorization(std::string_view field);

}  // namespace sluice::auth
