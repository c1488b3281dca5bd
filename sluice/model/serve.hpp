// serve(): a whole server in one call, for small programs.
#pragma once

#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/model/model.hpp"

namespace sluice::model {

/// Listens at `where` (net::address::parse) and serves until SIGINT or SIGTERM: the first drains,
/// the second ends at once. The event model takes io_uring where it works unless `o` names an
/// engine. Prints `listening on HOST:PORT` to stderr unless `o.ready` is set. fault::bad_address;
/// the errno of listen() or of the engine; fault::unsupported if the model cannot serve in this
/// process.
[[nodiscard]] result<void> serve(std::string_view where, kind which, service handler,
                                 server_options o = {});

}  // namespace sluice::model
