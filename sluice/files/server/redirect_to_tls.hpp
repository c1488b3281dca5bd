// The answer to a client that speaks HTTP in the clear where TLS is required.
#pragma once

#include <string>
#include <string_view>

namespace sluice::files {

/// A whole response to a request that begins with `first`: a redirection of GET and HEAD to
/// https:// (RFC 9110, section 15.4.9), a refusal of other methods. Empty if it is no HTTP.
[[nodiscard]] std::string redirect_to_tls(std::string_view first);

}  // namespace sluice::files
