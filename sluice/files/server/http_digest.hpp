// The digest of a file that a client has asked for.
#pragma once

#include <sys/stat.h>

#include <optional>

#include "sluice/coro/task.hpp"
#include "sluice/files/server/http_exchange.hpp"
#include "sluice/http/digest_field.hpp"

namespace sluice::files {

/// The digest of `file`, which is in the state `now`: made while the client is there. None where it
/// cannot be read, has changed, or the client has ended its stream meanwhile and the file is large:
/// such a client is answered without it. Uploads do not wait behind it: it is made by threads of
/// its own, in place on a blocking engine, and there in pieces between which other clients have
/// their turn.
coro::task<std::optional<http::sha256_value>> make_digest_for(http_exchange& x, int file,
                                                              const struct stat& now);

}  // namespace sluice::files
