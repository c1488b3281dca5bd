// Validates the authority of an http URL or a Host field (RFC 9110, sections 4.2 and 7.2).
#pragma once

#include <optional>
#include <string_view>

namespace sluice::http {

/// Whether `text` is HOST or HOST:PORT without a user: a name, an IPv4 address, or an IPv6 address
/// in brackets (RFC 3986, section 3.2.2). The port's digits may be missing. A comma, which RFC 3986
/// allows in names and DNS does not, is refused: it makes a list.
[[nodiscard]] bool is_authority(std::string_view text) noexcept;

/// What follows `http://` or `https://`, of either case; none if neither begins `text`.
[[nodiscard]] std::optional<std::string_view> without_scheme(std::string_view text) noexcept;

}  // namespace sluice::http
