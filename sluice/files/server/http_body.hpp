// The body of an HTTP request: waits for it, receives it, or drops it.
#pragma once

#include <cstddef>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/files/server/http_connection.hpp"
#include "sluice/files/server/pace.hpp"
#include "sluice/transfer/byte_counter.hpp"

namespace sluice::files {

/// The bytes that follow the head. A handler takes them from http_connection::buffered(), and calls
/// http_connection::end_body() after the last.
class request_body {
 public:
    /// `of` outlives it.
    explicit request_body(http_connection& of) noexcept : of_{of} {}

    /// The least that a client must send.
    [[nodiscard]] pace_limits limits() noexcept;
    /// Whether bytes can be taken without waiting, or there are no more.
    [[nodiscard]] bool is_here() noexcept;
    /// Sends 100 (Continue) if the client expects it, and waits until bytes, or the end of the
    /// stream, can be read, without buffers. fault::timed_out where no byte arrived.
    coro::task<result<void>> wait();
    /// Bytes that are not consumed, or are received now, at most a buffer; empty where none have
    /// arrived. Leases the buffers again. fault::ended at the end of the stream; ENOMEM.
    [[nodiscard]] result<std::string_view> read_piece() noexcept;
    /// Drops a body that the method has no use for, where that costs less than a new connection: a
    /// small one that the client sends in any case. Any other is left, and ends the connection
    /// after the response. fault::timed_out below the pace; fault::ended.
    coro::task<result<void>> drop_if_small();

 private:
    coro::task<result<void>> drop(transfer::byte_counter& counter);
    [[nodiscard]] io::time_point deadline() noexcept;

    http_connection& of_;
};

}  // namespace sluice::files
