// The cheapest closed loop there is: kept connections on one ring, answers counted by their bytes.
#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sluice/base/fd.hpp"
#include "sluice/base/mapping.hpp"
#include "sluice/lab/load/exchange.hpp"
#include "sluice/lab/load/parts.hpp"

namespace sluice::lab {

/// One system call a turn, descriptors looked up once, receives that stay armed, and no word about
/// sends that went well. What comes is discarded inside the kernel (MSG_TRUNC).
class uring_exchanger {
 public:
    /// Connects, and begins. Null where the kernel does not let us use io_uring this way. Throws
    /// trouble. `o` outlives it.
    [[nodiscard]] static std::unique_ptr<uring_exchanger> make(const exchange_options& o);
    uring_exchanger(const uring_exchanger&) = delete;
    uring_exchanger& operator=(const uring_exchanger&) = delete;
    ~uring_exchanger();

    /// Every connection gets as much under way as it may have.
    void start();
    /// Takes in what came; whether anything did. Never waits.
    bool turn(load_clock::duration patience);
    [[nodiscard]] std::uint64_t answered() const noexcept { return answered_; }
    /// What goes wrong ends the load.
    [[nodiscard]] static std::uint64_t errors() noexcept { return 0; }

 private:
    struct client {
        unique_fd fd;
        std::size_t part = 0;     // bytes of an answer that has not come whole
        std::size_t sent_of = 0;  // bytes of a request that is partly asked for
    };

    explicit uring_exchanger(const exchange_options& o);
    [[nodiscard]] bool open_ring();
    [[nodiscard]] bool open_buffers();
    [[nodiscard]] io_uring_buf_ring* buffers() const;
    io_uring_sqe& next();
    void arm(std::size_t index);
    void ask(std::size_t index, std::size_t messages);
    void take(const io_uring_cqe& cqe);

    const exchange_options& options_;
    std::vector<client> clients_;
    std::string payload_;
    io_uring ring_{};
    bool open_ = false;
    mapping entries_;    // of the ring of buffers
    mapping discarded_;  // what every buffer points to
    int used_ = 0;       // buffers of one turn
    std::uint64_t answered_ = 0;
};

}  // namespace sluice::lab
