// Uploads files to a server: over HTTP, verified and resumed, or as a bare stream.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sluice/coro/task.hpp"
#include "sluice/files/client/link.hpp"
#include "sluice/files/client/progress.hpp"
#include "sluice/files/client/transfer_error.hpp"
#include "sluice/http/digest_field.hpp"
#include "sluice/term/console.hpp"

namespace sluice::files {

/// A complete upload.
struct uploaded {
    std::uint64_t bytes = 0;
    std::uint64_t resumed_from = 0;  ///< bytes that the server had before
    bool replaced = false;           ///< the server had another file of that name
    /// Digest of the bytes sent, if computed; `verified` if the server reports the same.
    std::optional<http::sha256_value> sha256 = std::nullopt;
    bool verified = false;
};

/// Bytes. Smaller files are sent whole: to ask how much the server has takes as long.
inline constexpr std::uint64_t worth_resuming = std::uint64_t{1} << 20;

/// An open regular file.
struct upload_source {
    int file = -1;
    std::uint64_t size = 0;
};

/// PUTs `source` at `path`, which is encoded, with its digest. A large file is sent as a part
/// (Content-Range), which the server may keep when the connection breaks, and resumes after the
/// bytes that the server has, also those of an earlier upload. Errors that may_pass are retried as
/// the options of `conn` say. A server without parts gets whole files.
/// transfer_error_kind::corrupted where the server has, or had, other bytes than were sent.
[[nodiscard]] coro::task<attempt<uploaded>> put_file(link& conn, upload_source source,
                                                     std::string path, progress& state);

/// PUTs the bytes of `from` up to its end, in chunks, with the digest as a trailer. Bytes once read
/// cannot be sent again, so that only connecting is retried.
[[nodiscard]] coro::task<attempt<uploaded>> put_stream(link& conn, term::console& from,
                                                       std::string path, progress& state);

/// Streams the file, ends the stream, and waits until the peer ends it in order, too: a reset means
/// that the peer did not keep the file. A stream that breaks before its end is restarted.
[[nodiscard]] coro::task<attempt<uploaded>> stream_file(link& conn, upload_source source,
                                                        progress& state);
/// The same for the bytes of `from`; only connecting is retried.
[[nodiscard]] coro::task<attempt<uploaded>> stream_all(link& conn, term::console& from,
                                                       progress& state);

}  // namespace sluice::files
