// Gives files to a server: over HTTP, verified and resumed, or as a bare stream.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sluice/coro/task.hpp"
#include "sluice/files/client/link.hpp"
#include "sluice/files/client/progress.hpp"
#include "sluice/files/client/trouble.hpp"
#include "sluice/http/digest_field.hpp"
#include "sluice/term/console.hpp"

namespace sluice::files {

/// A file that is on the other side now.
struct uploaded {
    std::uint64_t bytes = 0;
    std::uint64_t resumed_from = 0;  ///< that many were there from an earlier time
    bool replaced = false;           ///< there was one of that name before
    /// Of what was sent, if it was computed; `verified` if the server says that it has the same.
    std::optional<http::sha256_value> sha256 = std::nullopt;
    bool verified = false;
};

/// Smaller files go whole: they are sent again as soon as it takes to ask how much is there.
inline constexpr std::uint64_t worth_resuming = std::uint64_t{1} << 20;

/// An open regular file.
struct upload_source {
    int file = -1;
    std::uint64_t size = 0;
};

/// PUTs `what` at `path`, which is encoded, with its digest. A large file goes as a part that the
/// server may keep when the connection breaks (Content-Range): then, and when a part is there from
/// another time, it goes on from there. Attempts that may pass are repeated as `way` says. A server
/// that knows nothing of parts gets whole files. trouble_kind::corrupted where the server has, or
/// had, other bytes than were sent.
[[nodiscard]] coro::task<attempt<uploaded>> put_file(link& way, upload_source what,
                                                     std::string path, progress& told);

/// PUTs what `from` brings up to its end, in chunks, with the digest as a trailer. What has been
/// read is gone, so that only the connection itself is tried several times.
[[nodiscard]] coro::task<attempt<uploaded>> put_stream(link& way, term::console& from,
                                                       std::string path, progress& told);

/// Streams the file, ends the stream, and waits until the other side has ended it, too, in order: a
/// reset says that it was not kept. A stream that broke before its end is begun anew.
[[nodiscard]] coro::task<attempt<uploaded>> stream_file(link& way, upload_source what,
                                                        progress& told);
/// The same for what `from` brings; once.
[[nodiscard]] coro::task<attempt<uploaded>> stream_all(link& way, term::console& from,
                                                       progress& told);

}  // namespace sluice::files
