// Gets files from a server: over HTTP, verified and resumed, or as a bare stream.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sluice/coro/task.hpp"
#include "sluice/files/client/link.hpp"
#include "sluice/files/client/partial_file.hpp"
#include "sluice/files/client/progress.hpp"
#include "sluice/files/client/trouble.hpp"
#include "sluice/http/digest_field.hpp"
#include "sluice/term/console.hpp"

namespace sluice::files {

struct download_options {
    bool resume = false;  ///< go on with what an earlier process left of this target
    bool sync = true;     ///< the file is on the disk before it gets its name
};

/// A file that is here now.
struct downloaded {
    std::uint64_t bytes = 0;
    std::uint64_t resumed_from = 0;  ///< that many were here from an earlier process
    /// Of what arrived, where the server said what it should be: then they are the same.
    std::optional<http::sha256_value> sha256 = std::nullopt;
};

/// GETs `target` (path and query, encoded) into `into`, which has its name when this returns. When
/// the connection breaks, goes on where it broke (Range, If-Range). trouble_kind::corrupted, and
/// nothing is kept, where the bytes are not those that the server's digest is of. In any trouble
/// that is not of our disk either, `into` is left for later if it can wait.
[[nodiscard]] coro::task<attempt<downloaded>> get_file(link& way, std::string target,
                                                       partial_file& into, download_options o,
                                                       progress& told);

/// The same, written to a stream, where what was written cannot be taken back.
[[nodiscard]] coro::task<attempt<downloaded>> get_to(link& way, std::string target,
                                                     term::console& into, progress& told);

/// Receives to the end of the stream. Only the connection is tried several times.
[[nodiscard]] coro::task<attempt<downloaded>> receive_file(link& way, partial_file& into,
                                                           download_options o, progress& told);
[[nodiscard]] coro::task<attempt<downloaded>> receive_to(link& way, term::console& into,
                                                         progress& told);

}  // namespace sluice::files
