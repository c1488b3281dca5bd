// SHA-256 of bytes in memory, added piece by piece, and of a file.
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

/// Incremental SHA-256. The constructor throws std::bad_alloc.
class checksum {
 public:
    checksum();
    checksum(checksum&&) noexcept;
    checksum& operator=(checksum&&) noexcept;
    checksum(const checksum&) = delete;
    checksum& operator=(const checksum&) = delete;
    ~checksum();

    void add(const_bytes bytes) noexcept;
    /// The digest of all bytes added. Called once.
    [[nodiscard]] http::sha256_value finish() noexcept;

 private:
    struct state;
    std::unique_ptr<state> state_;
};

/// The SHA-256 of the first `length` bytes of `file`, read on `readers` 8 MiB at a time, so that it
/// can be cancelled. fault::ended where the file is shorter; errno of pread(2).
[[nodiscard]] coro::task<result<http::sha256_value>> checksum_of(io::engine& engine,
                                                                 io::offload_pool& readers,
                                                                 int file, std::uint64_t length,
                                                                 transfer::moved& counter);

}  // namespace sluice::files
