// The authority of an http URL, and the Host field, which holds one (RFC 9110, sections 4.2
// and 7.2).
#pragma once

#include <string_view>

namespace sluice::http {

/// Whether `text` is a host and, behind a colon, a port: a name or an IPv4 address, or an IPv6
/// address in brackets (RFC 3986, section 3.2.2); no user before it. The digits of a port may be
/// left out. A comma, which RFC 3986 allows in names and DNS does not, is refused: it is a list.
[[nodiscard]] bool is_authority(std::string_view text) noexcept;

}  // namespace sluice::http
