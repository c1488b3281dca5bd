// Many bytes over few connections: downloads that are thrown away, and uploads out of memory.
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
    std::size_t clients = 1;  ///< at a time, a connection each
    std::uint64_t size = 0;   ///< bytes that each of them moves
    bool spins = false;       ///< looks again and again, where it could wait
    watched server = {};
};

/// Every client connects, and receives until the end. What comes is discarded inside the kernel, so
/// that the load is never the bottleneck; another number of bytes than `size` is an error. `amount`
/// is bytes. Runs on the calling thread; the error is a sentence without its full stop.
[[nodiscard]] std::expected<outcome, std::string> download(const bytes_options& o);

/// Every client sends `size` bytes, shuts down its half, and waits until the server has closed the
/// other in order: until the file is stored. What counts ends when the server's kernel has taken
/// all bytes; `whole_seconds` has the rest, in which the server checks and names what it has got.
[[nodiscard]] std::expected<outcome, std::string> upload(const bytes_options& o);

}  // namespace sluice::lab
