// Computes the digest of a stored file for the client that requests it.
#pragma once

#include <sys/stat.h>

#include <optional>

#include "sluice/coro/task.hpp"
#include "sluice/files/server/http_exchange.hpp"
#include "sluice/http/digest_field.hpp"

namespace sluice::files {

/// The digest of `file`, which is in the state `now`. None where the file cannot be read, has
/// changed, or is larger than 64 MiB and its client has ended its stream meanwhile: the response is
/// then sent without a digest. Uploads do not wait behind it: it runs on threads of its own, or in
/// place where the engine works in place.
coro::task<std::optional<http::sha256_value>> make_digest_for(http_exchange& x, int file,
                                                              const struct stat& now);

}  // namespace sluice::files
