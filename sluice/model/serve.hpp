// The short way to a server, for programs that have nothing else to do.
#pragma once

#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/model/model.hpp"

namespace sluice::model {

/// Listens at `where` (net::address::parse) and serves until SIGINT or SIGTERM: the first drains,
/// the second ends at once. The event model takes io_uring where it works and `o` says nothing
/// else. Says `listening on HOST:PORT` on stderr. fault::bad_address; the errno of listening or
/// of setting up; fault::unsupported where the model cannot serve in this process.
[[nodiscard]] result<void> serve(std::string_view where, kind which, service what, options o = {});

}  // namespace sluice::model
