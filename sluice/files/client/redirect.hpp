// Follows a redirect of an HTTP server, as far as it stays with that server.
#pragma once

#include <string>
#include <string_view>

#include "sluice/files/client/transfer_error.hpp"

namespace sluice::files {

/// The path and query, encoded, to which the field Location of a response leads at the same server,
/// `authority` (HOST:PORT). An error for another server, a directory, and what is no URL. Pure.
[[nodiscard]] attempt<std::string> redirect_target(const std::string& location,
                                                   std::string_view authority);

}  // namespace sluice::files
