// Bulk loads: downloads that discard their bytes, and uploads from memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>

#include "sluice/lab/load/outcome.hpp"
#include "sluice/lab/usage.hpp"
#include "sluice/net/address.hpp"

namespace sluice::lab {

struct bytes_options {
    net::address where;
    std::size_t clients = 1;  ///< concurrent clients, a connection each
    std::uint64_t size = 0;   ///< bytes per client
    bool spins = false;       ///< polls without sleeping
    watched server = {};
};

/// Every client connects and receives until the end of the stream. The kernel discards the bytes
/// (MSG_TRUNC), so that the load is never the bottleneck; another number of bytes than `size` is an
/// error. `amount` is bytes. Runs on the calling thread; the error is a sentence without its full
/// stop.
[[nodiscard]] std::expected<outcome, load_failure> download(const bytes_options& o);

/// Every client sends `size` bytes, shuts down its sending side, and waits for the server's end of
/// stream, which comes when the file is stored. `seconds` ends when the server's kernel has
/// acknowledged all bytes; `whole_seconds` includes the rest, in which the server checks and names
/// the file.
[[nodiscard]] std::expected<outcome, load_failure> upload(const bytes_options& o);

}  // namespace sluice::lab
