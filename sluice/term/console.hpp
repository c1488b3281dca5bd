// stdin and stdout as something to read from and write to, whatever stands behind them.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "sluice/base/fd.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/ops/shared_file.hpp"

namespace sluice::term {

/// A descriptor that belongs to others too: a terminal, a pipe, a regular file (which epoll
/// refuses), /dev/null. Its flags are left alone. Does not own the descriptor. Thread of its
/// engine; one reader and one writer at a time.
class console {
 public:
    /// What one read brought; empty at the end of input. Valid until the next read.
    class chunk {
     public:
        chunk() noexcept = default;
        explicit chunk(std::string_view text) noexcept : text_{text} {}
        [[nodiscard]] bool empty() const noexcept { return text_.empty(); }
        [[nodiscard]] std::string_view text() const noexcept { return text_; }

     private:
        std::string_view text_;
    };

    /// EBADF if the descriptor is closed. Throws std::bad_alloc.
    [[nodiscard]] static result<std::unique_ptr<console>> open(io::engine& home, int fd);
    console(const console&) = delete;
    console& operator=(const console&) = delete;
    ~console();

    /// Waits for input.
    [[nodiscard]] coro::task<result<chunk>> recv() noexcept;
    /// Writes all of it. EPIPE when nobody reads any more (SIGPIPE must be ignored).
    [[nodiscard]] io::write_shared send_all(std::string_view what) noexcept {
        return {home_, fd_, as_bytes(what)};
    }
    [[nodiscard]] io::engine& home() const noexcept { return home_; }

 private:
    console(io::engine& home, int fd, unique_fd own) noexcept
        : home_{home}, fd_{fd}, own_{std::move(own)} {}

    io::engine& home_;
    int fd_;
    unique_fd own_;  // a terminal's own opening, which fd_ is then
    std::array<std::byte, std::size_t{64} * 1024> room_{};
};

}  // namespace sluice::term
