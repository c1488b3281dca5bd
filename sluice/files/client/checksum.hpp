// The SHA-256 of what moves, a piece at a time.
#pragma once

#include <cstdint>
#include <memory>

#include "sluice/base/bytes.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/http/digest_field.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/offload.hpp"
#include "sluice/transfer/moved.hpp"

namespace sluice::files {

/// Of bytes that come one after another.
class checksum {
 public:
    checksum();
    checksum(checksum&&) noexcept;
    checksum& operator=(checksum&&) noexcept;
    checksum(const checksum&) = delete;
    checksum& operator=(const checksum&) = delete;
    ~checksum();

    void add(const_bytes bytes) noexcept;
    /// Of everything so far. Once.
    [[nodiscard]] http::sha256_value finish() noexcept;

 private:
    struct state;
    std::unique_ptr<state> state_;
};

/// Of the first `length` bytes of a file, read by a thread of `readers` a few megabytes at a time,
/// so that it can be cancelled. fault::ended where the file is shorter; EIO and the like.
[[nodiscard]] coro::task<result<http::sha256_value>> checksum_of(io::engine& home,
                                                                 io::offload_pool& readers,
                                                                 int file, std::uint64_t length,
                                                                 transfer::moved& told);

}  // namespace sluice::files
