// Defines console: asynchronous reads and writes on stdin or stdout.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/ops/shared_file.hpp"
#include "sluice/os/fd.hpp"

namespace sluice::term {

/// A descriptor that other processes may share: a terminal, a pipe, a regular file (which epoll
/// refuses), /dev/null. Leaves its flags alone and does not own it. Thread of its engine; one
/// reader and one writer at a time.
class console {
 public:
    /// The bytes of one read; empty at the end of input. Valid until the next read.
    class chunk {
     public:
        chunk() noexcept = default;
        /// Does not own `text`.
        explicit chunk(std::string_view text) noexcept : text_{text} {}
        /// True at the end of input.
        [[nodiscard]] bool empty() const noexcept { return text_.empty(); }
        /// The bytes, in any encoding.
        [[nodiscard]] std::string_view text() const noexcept { return text_; }

     private:
        std::string_view text_;
    };

    /// EBADF if the descriptor is closed. Throws std::bad_alloc.
    [[nodiscard]] static result<std::unique_ptr<console>> open(io::engine& engine, int fd);
    console(const console&) = delete;
    console& operator=(const console&) = delete;
    ~console();

    /// Reads once there is input. The errno of read(2); fault::cancelled.
    [[nodiscard]] coro::task<result<chunk>> recv() noexcept;
    /// Writes all of it. EPIPE once the reader has closed (SIGPIPE must be ignored).
    [[nodiscard]] io::write_shared send_all(std::string_view text) noexcept {
        return {engine_, fd_, as_bytes(text)};
    }
    /// The engine that it was opened with.
    [[nodiscard]] io::engine& engine() const noexcept { return engine_; }

 private:
    console(io::engine& engine, int fd, unique_fd opened) noexcept
        : engine_{engine}, fd_{fd}, opened_{std::move(opened)} {}

    io::engine& engine_;
    int fd_;
    unique_fd opened_;  // of a terminal opened again, which fd_ then is
    std::array<std::byte, std::size_t{64} * 1024> buffer_{};
};

}  // namespace sluice::term
