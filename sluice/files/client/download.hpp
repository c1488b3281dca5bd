// Downloads files from a server: over HTTP, verified and resumed, or as a bare stream.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sluice/coro/task.hpp"
#include "sluice/files/client/link.hpp"
#include "sluice/files/client/partial_file.hpp"
#include "sluice/files/client/progress.hpp"
#include "sluice/files/client/transfer_error.hpp"
#include "sluice/http/digest_field.hpp"
#include "sluice/term/console.hpp"

namespace sluice::files {

struct download_options {
    bool resume = false;  ///< resume the partial file of an earlier process
    bool sync = true;     ///< fsync(2) the file before it gets its name
};

/// A complete download.
struct downloaded {
    std::uint64_t bytes = 0;
    std::uint64_t resumed_from = 0;  ///< bytes from an earlier process
    /// Digest of the bytes, where the server sent one: both are then the same.
    std::optional<http::sha256_value> sha256 = std::nullopt;
};

/// GETs `target` (path and query, encoded) into `into`, which has its final name on success.
/// Resumes a broken connection where it broke (Range, If-Range). transfer_error_kind::corrupted,
/// and the bytes are removed, where they do not match the digest of the server. On any other error,
/// except of the local disk, `into` is left for later if it can_wait().
[[nodiscard]] coro::task<attempt<downloaded>> get_file(link& conn, std::string target,
                                                       partial_file& into, download_options o,
                                                       progress& state);

/// The same into a stream, from which written bytes cannot be taken back.
[[nodiscard]] coro::task<attempt<downloaded>> get_to(link& conn, std::string target,
                                                     term::console& into, progress& state);

/// Receives a bare stream to its end. Only connecting is retried.
[[nodiscard]] coro::task<attempt<downloaded>> receive_file(link& conn, partial_file& into,
                                                           download_options o, progress& state);
[[nodiscard]] coro::task<attempt<downloaded>> receive_to(link& conn, term::console& into,
                                                         progress& state);

}  // namespace sluice::files
