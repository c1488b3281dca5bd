// pipe(7) of the simulated kernel.
#pragma once

#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>
#include <memory>
#include <utility>

#include "sluice/sim/byte_queue.hpp"
#include "sluice/sim/description.hpp"

namespace sluice::sim {

/// One end of a pipe. A write of up to PIPE_BUF bytes is whole or not at all.
class pipe_end final : public description {
 public:
    /// The reading end and the writing end of a new pipe.
    [[nodiscard]] static std::array<std::shared_ptr<pipe_end>, 2> make(int flags) {
        const auto common = std::make_shared<shared>();
        const int kept = flags & O_NONBLOCK;
        return {std::make_shared<pipe_end>(common, O_RDONLY | kept),
                std::make_shared<pipe_end>(common, O_WRONLY | kept)};
    }
    ~pipe_end() override { hang_up(); }

    [[nodiscard]] ssize_t peek(mutable_bytes memory) noexcept override {
        if (writes()) return -EBADF;
        if (const std::size_t n = common_->bytes.peek(memory); n > 0 || memory.empty()) {
            return static_cast<ssize_t>(n);
        }
        return common_->ends[1] == nullptr ? 0 : -EAGAIN;
    }
    void consume(std::size_t n) noexcept override {
        common_->bytes.pop(n);
        if (pipe_end* writer = common_->ends[1]) writer->watchers().notify(POLLOUT);
    }
    [[nodiscard]] ssize_t read(mutable_bytes memory) noexcept override {
        const ssize_t n = peek(memory);
        if (n > 0) consume(static_cast<std::size_t>(n));
        return n;
    }
    [[nodiscard]] ssize_t write(const_bytes data) noexcept override {
        if (!writes()) return -EBADF;
        pipe_end* reader = common_->ends[0];
        if (reader == nullptr) return -EPIPE;
        const std::size_t free = space();
        if (free == 0 || (data.size() <= PIPE_BUF && free < data.size())) return -EAGAIN;
        const std::size_t n = std::min(free, data.size());
        common_->bytes.push(data.first(n));
        reader->watchers().notify(POLLIN);
        return static_cast<ssize_t>(n);
    }
    [[nodiscard]] std::size_t space() noexcept override {
        // A pipe without a reader takes everything: write() reports it.
        if (common_->ends[0] == nullptr) return SIZE_MAX;
        return common_->capacity - std::min(common_->capacity, common_->bytes.size());
    }
    [[nodiscard]] short poll() noexcept override {
        if (writes()) {
            if (common_->ends[0] == nullptr) return POLLOUT | POLLERR;
            return space() >= PIPE_BUF ? POLLOUT : 0;
        }
        return static_cast<short>((common_->bytes.size() > 0 ? POLLIN : 0) |
                                  (common_->ends[1] == nullptr ? POLLHUP : 0));
    }
    [[nodiscard]] bool pollable() const noexcept override { return true; }
    [[nodiscard]] int ioctl(unsigned long request, void* argument) noexcept override {
        if (request != FIONREAD) return -ENOTTY;
        const auto n = static_cast<int>(common_->bytes.size());
        std::memcpy(argument, &n, sizeof n);
        return 0;
    }
    void hang_up() noexcept override {
        pipe_end*& self = common_->ends[writes() ? 1 : 0];
        if (std::exchange(self, nullptr) == nullptr) return;
        if (pipe_end* other = common_->ends[writes() ? 0 : 1]) {
            other->watchers().notify(writes() ? POLLIN | POLLHUP : POLLOUT | POLLERR);
        }
    }

    /// fcntl(2), F_GETPIPE_SZ and F_SETPIPE_SZ.
    [[nodiscard]] std::size_t capacity() const noexcept { return common_->capacity; }
    void set_capacity(std::size_t bytes) noexcept {
        common_->capacity = std::max<std::size_t>(bytes, PIPE_BUF);
    }

    struct shared {
        byte_queue bytes;
        std::array<pipe_end*, 2> ends{};  // the reading one, the writing one; nullptr: closed
        std::size_t capacity = 64 << 10;
    };
    /// For make().
    pipe_end(std::shared_ptr<shared> common, int flags) noexcept
        : description{kind::pipe, flags}, common_{std::move(common)} {
        common_->ends[writes() ? 1 : 0] = this;
    }

 private:
    [[nodiscard]] bool writes() const noexcept { return (flags() & O_ACCMODE) == O_WRONLY; }

    std::shared_ptr<shared> common_;
};

}  // namespace sluice::sim
